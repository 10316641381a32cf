// README's snippet: it is this one, it compiles, and it does what README says.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { createLiveQueryCollection } from '@tanstack/db'
import { compile } from './lib/compile.mjs'
import { eventually } from './lib/wait.mjs'
import { doc, newWorld, tokens } from './lib/world.mjs'

const here = import.meta.dirname
const source = await readFile(join(here, 'snippet.ts'), 'utf8')
const readme = await readFile(join(here, '../../README.md'), 'utf8')

/** Compiles the snippet, and returns its module's address. */
async function compileSnippet(t) {
  const auth = 'export const getToken = (): Promise<string> => (globalThis as any).getToken()\n'
  return `${await compile(t, { 'snippet.ts': source, 'auth.ts': auth })}/snippet.js`
}

test('README quotes the snippet', () => {
  assert.ok(readme.includes('```ts\n' + source + '```\n'), 'README has another snippet than integration/e2e/snippet.ts')
})

test('README names the versions that are tested, and @tanstack/db is the one that the collection pins', async () => {
  const versions = JSON.parse(await readFile(join(here, 'package.json'), 'utf8')).dependencies
  for (const [name, version] of Object.entries(versions)) {
    assert.ok(readme.includes(`\`${name}\` ${version}`), `README does not name ${name} ${version}`)
  }
  const collection = JSON.parse(await readFile(join(here, 'node_modules/@tanstack/electric-db-collection/package.json'), 'utf8'))
  assert.equal(versions['@tanstack/db'], collection.dependencies['@tanstack/db'])
})

test('who loses the gate keeps no row, and gets the rows again with the gate', async (t) => {
  const world = await newWorld(t)
  const module = await compileSnippet(t)
  globalThis.getToken = async () => tokens.bob
  const { fetch, setTimeout } = globalThis
  t.after(() => Object.assign(globalThis, { fetch, setTimeout }))
  // The snippet's server is the world's, and its ten seconds are short.
  let refused = 0
  globalThis.fetch = async (url, init) => {
    const ours = String(url).startsWith('https://sync.example.com')
    const response = await fetch(ours ? String(url).replace('https://sync.example.com', world.url) : url, init)
    if (ours && response.status === 403) refused++
    return response
  }
  globalThis.setTimeout = (f, ms, ...rest) => setTimeout(f, ms === 10_000 ? 100 : ms, ...rest)

  const { documents } = await import(module)
  t.after(() => documents.cleanup())
  // A live query that holds exactly the rows that bob may see.
  const open = async () => {
    const want = (await world.truth({ shapeName: 'documents', person: 'bob', params: {} })).map((row) => row.id).sort()
    assert.ok(want.length > 0)
    const live = createLiveQueryCollection((q) => q.from({ row: documents }))
    live.subscribeChanges(() => {})
    const ids = () => live.toArray.map((row) => row.id).sort()
    await until(() => isDeepStrictEqual(ids(), want), () => `rows ${ids()} and not ${want}; the collection is ${documents.status}`)
    return live
  }
  const before = await open()
  t.after(() => before.cleanup())

  await world.change({
    delete: ['group:everybody#member@user:bob'],
    sql: `UPDATE documents SET title = 'Not for bob' WHERE id = '${doc(4)}';`,
  })
  await until(() => refused > 0 && documents.size === 0, () => `${refused} times refused, and ${documents.size} rows are kept`)
  // It goes on asking.
  const times = refused
  await until(() => refused > times, () => 'it does not ask again')
  await world.grant('group:everybody#member@user:bob')
  await until(() => documents.status === 'ready', () => `the collection is ${documents.status}`)
  const after = await open()
  await after.cleanup()
})

/** Waits until check() holds; it is asked again and again. */
const until = (check, message) =>
  eventually((ask) => {
    const timer = setInterval(ask, 20)
    return () => clearInterval(timer)
  }, check, () => new Error(message()))
