// A handler for an edge (Cloudflare Workers, Deno, Supabase functions, Node) in front of
// shapegate: it lets through what a token of shapegate's gatekeeper allows. README.md says
// what it is for, and what it is not.

import { corsHeaders, preflight } from './cors.ts'
import { Keys } from './keys.ts'
import { Problem } from './problem.ts'
import { bodyFor, queryFor } from './request.ts'
import { bearerOf, verify } from './token.ts'

export interface Options {
  /** Where shapegate is, as in https://shapegate.internal.example. A path may follow. */
  upstream: string

  /** What "iss" of a token must be: shapegate's SHAPEGATE_PUBLIC_URL, or "shapegate" without it. */
  issuer?: string

  /** Origins whose pages may call, as in https://app.example; or "*" alone for any. None without it. */
  origins?: string[]

  /** The path that clients call, as the platform gives it to the handler; "/v1/shape" by default. */
  path?: string

  /** What sends requests; the platform's fetch by default. */
  fetch?: typeof fetch

  /** The time in milliseconds since 1970; Date.now by default. */
  now?: () => number
}

/** The one path at shapegate. There is nothing else to reach. */
const shapePath = '/v1/shape'

/** Makes a handler. Make one for a process: it keeps the keys of tokens. */
export function createHandler(options: Options): (request: Request) => Promise<Response> {
  const upstream = options.upstream.replace(/\/+$/, '')
  const { issuer = 'shapegate', path = shapePath, origins = [], fetch = globalThis.fetch, now = Date.now } = options
  const keys = new Keys(`${upstream}/.well-known/jwks.json`, fetch, now)

  async function pass(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (url.pathname !== path) throw new Problem('not_found', 'no such path')
    if (!['GET', 'HEAD', 'POST'].includes(request.method)) throw new Problem('method_not_allowed', 'no such method here')
    const token = bearerOf(request.headers)
    const shape = await verify(token, keys, issuer, now())
    const query = queryFor(url.searchParams, shape)
    const body = request.method === 'POST' ? await bodyFor(request) : null
    const headers = new Headers({ Authorization: `Bearer ${token}` })
    for (const name of passedHeaders) {
      const value = request.headers.get(name)
      if (value !== null) headers.set(name, value)
    }
    if (body !== null) headers.set('Content-Type', 'application/json')
    let response: Response
    try {
      response = await fetch(`${upstream}${shapePath}?${query}`, { method: request.method, headers, body, redirect: 'manual', signal: request.signal })
    } catch {
      throw new Problem('unavailable', 'shapegate does not answer')
    }
    if (response.status === 0 || (response.status >= 300 && response.status < 400)) throw new Problem('bad_upstream', 'shapegate sent a redirect')
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers: headersOf(response) })
  }

  return async (request) => {
    const origin = request.headers.get('Origin')
    if (request.method === 'OPTIONS') return preflight(request, origins)
    let response: Response
    try {
      response = await pass(request)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      response = error.response()
    }
    for (const [name, value] of corsHeaders(origin, origins)) response.headers.set(name, value)
    return response
  }
}

/** Headers of a request that are passed on. Cookies are not: the token says who asks. */
const passedHeaders = ['Accept', 'Shapegate-At-Least-As-Fresh']

/** Headers of shapegate's answer that are not passed on: fetch has decoded the body, and CORS is the edge's. */
const droppedHeaders = ['content-encoding', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'set-cookie']

function headersOf(response: Response): Headers {
  const headers = new Headers(response.headers)
  for (const name of [...headers.keys()]) {
    if (droppedHeaders.includes(name) || name.startsWith('access-control-')) headers.delete(name)
  }
  return headers
}
