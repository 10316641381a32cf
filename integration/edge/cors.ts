// What pages of other origins may do. No cookie is read, so no credentials are offered.

/** Headers that a page's script may read. Without them Electric's client refuses an answer. */
const exposed = [
  'electric-cursor', 'electric-handle', 'electric-has-data', 'electric-offset', 'electric-schema',
  'electric-snapshot', 'electric-up-to-date', 'retry-after', 'www-authenticate',
].join(', ')

const mayCall = (origin: string | null, origins: string[]) => origin !== null && (origins.includes('*') || origins.includes(origin))

/** The headers of an answer to a page. */
export function corsHeaders(origin: string | null, origins: string[]): [string, string][] {
  const vary: [string, string] = ['Vary', 'Authorization, Cookie, Origin, Accept-Encoding']
  if (origin === null || !mayCall(origin, origins)) return [vary]
  return [vary, ['Access-Control-Allow-Origin', origins.includes('*') ? '*' : origin], ['Access-Control-Expose-Headers', exposed]]
}

/** Answers a browser that asks before a page calls. */
export function preflight(request: Request, origins: string[]): Response {
  const headers = new Headers({ Allow: 'GET, HEAD, OPTIONS, POST', 'Cache-Control': 'private, no-store' })
  const origin = request.headers.get('Origin')
  for (const [name, value] of corsHeaders(origin, origins)) headers.set(name, value)
  if (mayCall(origin, origins)) {
    headers.set('Access-Control-Allow-Methods', 'GET, HEAD, POST')
    headers.set('Access-Control-Allow-Headers', request.headers.get('Access-Control-Request-Headers') ?? 'Authorization')
    headers.set('Access-Control-Max-Age', '86400')
  }
  return new Response(null, { status: 204, headers })
}
