// What the edge answers itself. The form is that of shapegate's errors.

const statuses = {
  bad_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  too_large: 413,
  bad_upstream: 502,
  unavailable: 503,
} as const

export type Kind = keyof typeof statuses

/** A request that is not passed on. Its message is for the client, and repeats nothing of the token. */
export class Problem extends Error {
  constructor(readonly kind: Kind, message: string, readonly field?: string) {
    super(message)
  }

  response(): Response {
    const body = { error: this.kind, message: this.message, ...(this.field && { field: this.field }) }
    const headers = new Headers({
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'private, no-store',
      'X-Content-Type-Options': 'nosniff',
    })
    if (this.kind === 'unauthenticated') headers.set('WWW-Authenticate', 'Bearer realm="shapegate"')
    if (this.kind === 'unavailable') headers.set('Retry-After', '1')
    return new Response(JSON.stringify(body), { status: statuses[this.kind], headers })
  }
}
