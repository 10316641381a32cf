// Tokens of shapegate's gatekeeper: JWTs that are good for one shape.

import type { Keys } from './keys.ts'
import { Problem } from './problem.ts'

/** What a token is good for. */
export interface Shape {
  name: string
  params: Record<string, string>
  columns?: string[] | undefined // none: all of the definition
  where: string // empty: none
  whereParams: string[]
}

const type = 'shapegate-shape+jwt'
const audience = 'shapegate'
const maxLength = 8 * 1024

/** The bearer token of a request. Several headers are one with commas, which no token has. */
export function bearerOf(headers: Headers): string {
  const found = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(headers.get('Authorization') ?? '')
  if (!found?.[1] || found[1].length > maxLength) throw refused
  return found[1]
}

/** Verifies a token, and returns its shape. */
export async function verify(token: string, keys: Keys, issuer: string, now: number): Promise<Shape> {
  const [head, body, signature] = token.split('.') as [string, string, string]
  const header = objectIn(decoded(head))
  if (header['typ'] !== type || 'crit' in header || typeof header['kid'] !== 'string') throw refused
  const key = await keys.find(header['kid'])
  // The key says which algorithm it is for: what the token says must be that.
  if (!key || header['alg'] !== key.algorithm) throw refused
  const signed = new TextEncoder().encode(`${head}.${body}`)
  if (!(await crypto.subtle.verify(key.verify as Algorithm, key.key, bytes(signature), signed))) throw refused
  return shapeOf(objectIn(decoded(body)), issuer, now)
}

/** The shape of claims whose signature holds. */
function shapeOf(claims: Record<string, unknown>, issuer: string, now: number): Shape {
  const { iss, aud, exp, sub } = claims
  const isForUs = Array.isArray(aud) ? aud.includes(audience) : aud === audience
  if (iss !== issuer || !isForUs || typeof sub !== 'string' || sub === '') throw refused
  if (typeof exp !== 'number' || now >= exp * 1000) throw refused
  const shape = claims['shape'] as Record<string, unknown> | undefined
  if (typeof shape?.['name'] !== 'string' || shape['name'] === '') throw refused
  return {
    name: shape['name'],
    params: (shape['params'] ?? {}) as Record<string, string>,
    columns: shape['columns'] as string[] | undefined,
    where: (shape['where'] ?? '') as string,
    whereParams: (shape['where_params'] ?? []) as string[],
  }
}

const refused = new Problem('unauthenticated', 'the token is missing, or does not hold')

/** Decodes base64url, in the one spelling that a text has. */
function bytes(text: string): Uint8Array<ArrayBuffer> {
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/')
  let binary: string
  try {
    binary = atob(base64)
  } catch {
    throw refused
  }
  if (btoa(binary).replaceAll('=', '') !== base64) throw refused
  return Uint8Array.from(binary, (c) => c.charCodeAt(0))
}

const decoded = (text: string) => new TextDecoder().decode(bytes(text))

function objectIn(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw refused
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused
  return value as Record<string, unknown>
}
