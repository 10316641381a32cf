// The edge handler, compiled, and a server that runs it as an edge does.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { compileFiles } from './compile.mjs'

const folder = await mkdtemp(join(tmpdir(), 'edge-'))
await compileFiles([join(import.meta.dirname, '../../edge/handler.ts')], '--exactOptionalPropertyTypes', '--rewriteRelativeImportExtensions', '--outDir', folder)
export const { createHandler } = await import(pathToFileURL(join(folder, 'handler.js')).href)
await rm(folder, { recursive: true })

/** Serves a handler of the fetch standard, and returns its address. It ends with the test. */
export async function serve(t, handler) {
  const server = createServer(async (incoming, outgoing) => {
    const gone = new AbortController()
    outgoing.on('close', () => gone.abort())
    try {
      const hasBody = incoming.method === 'POST'
      const response = await handler(new Request(`http://${incoming.headers.host}${incoming.url}`, {
        method: incoming.method, headers: incoming.headers, signal: gone.signal,
        ...(hasBody && { body: Readable.toWeb(incoming), duplex: 'half' }),
      }))
      outgoing.writeHead(response.status, Object.fromEntries(response.headers))
      for await (const part of response.body ?? []) outgoing.write(part)
      outgoing.end()
    } catch {
      outgoing.destroy() // the client, or shapegate, is gone
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}
