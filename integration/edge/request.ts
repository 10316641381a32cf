// What is passed on of a request, made anew. What is not on a list here is refused: nothing is
// passed on because it was sent.

import { Problem } from './problem.ts'
import type { Shape } from './token.ts'

/** Where a client is in its log, and how it reads on. */
const logKeys = ['offset', 'handle', 'live', 'live_sse', 'experimental_live_sse', 'cursor', 'log', 'replica']

/** A subset, for clients that do not send it in a body. */
const subsetKeys = ['subset__where', 'subset__params', 'subset__order_by', 'subset__limit', 'subset__offset']
const numberedSubsetKey = /^subset__params\[[1-9]\d*\]$/

/** Keys that say nothing to shapegate. They may stand there more than once. */
const ignoredKeys = ['cache-buster', 'expired_handle', 'subset__where_expr', 'subset__order_by_expr']

/**
 * The query that is passed on: the shape of the token, and the client's place in its log. The
 * client has to ask for exactly the shape of its token.
 */
export function queryFor(sent: URLSearchParams, shape: Shape): URLSearchParams {
  const ofShape = new Map(shapeQuery(shape))
  const asked = new Map<string, string>()
  for (const [key, value] of sent) {
    if (ignoredKeys.includes(key)) continue
    if (asked.has(key)) throw new Problem('bad_request', 'given more than once', fieldOf(key))
    if (!ofShape.has(key) && !isPlace(key)) throw notOfThisShape(key)
    asked.set(key, value)
  }
  for (const [key, want] of ofShape) {
    const value = asked.get(key)
    const isSame = key === 'columns' ? sameColumns(value, shape.columns ?? []) : value === want
    if (!isSame) throw another(key)
  }
  // The shape as the token has it, whatever spelling the client chose.
  return new URLSearchParams([...new Map([...asked, ...ofShape])])
}

const isPlace = (key: string) => logKeys.includes(key) || subsetKeys.includes(key) || numberedSubsetKey.test(key)

/** A key as a field name that an error may repeat. */
const fieldOf = (key: string) => (key.length > 64 ? 'query' : key)

/** The keys of a query that say which shape it is. */
function shapeQuery(shape: Shape): [string, string][] {
  const query: [string, string][] = [['table', shape.name], ...Object.entries(shape.params)]
  if (shape.columns) query.push(['columns', shape.columns.map(quoted).join(',')])
  if (shape.where) query.push(['where', shape.where])
  shape.whereParams.forEach((value, i) => query.push([`params[${i + 1}]`, value]))
  return query
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

const another = (field: string) =>
  new Problem('forbidden', 'the token is for another shape: ask the gatekeeper for a token for this one', field)

/** A key that narrows a shape makes it another one; no other key is known. */
function notOfThisShape(key: string): Problem {
  if (key === 'where' || key === 'columns' || key.startsWith('params[')) return another(key)
  return new Problem('bad_request', 'not a key of the protocol, nor of the shape', fieldOf(key))
}

const columnName = /"((?:[^"]|"")+)"|([\p{L}\p{N}_$]+)/u
const columnList = new RegExp(`^(?:${columnName.source})(?:,(?:${columnName.source}))*$`, 'u')

/** Whether a list names these columns, in any order. A name without quotes is in small letters. */
function sameColumns(list: string | undefined, columns: string[]): boolean {
  if (list === undefined || !columnList.test(list)) return false
  const names = new Set<string>()
  for (const [, inQuotes, plain] of list.matchAll(new RegExp(columnName, 'gu'))) {
    names.add(inQuotes?.replaceAll('""', '"') ?? plain!.replace(/[A-Z]/g, (c) => c.toLowerCase()))
  }
  return names.size === columns.length && columns.every((name) => names.has(name))
}

/** As Electric and shapegate. */
const maxBody = 8_000_000

/** Keys of a body that ask for a subset of the shape. */
const bodyKeys = ['where', 'params', 'order_by', 'limit', 'offset']
const ignoredBodyKeys = ['where_expr', 'order_by_expr']

/**
 * The body that is passed on, or null for none. At Electric, keys of a body win over those of
 * the URL, table and where among them: so each key is looked at, and the text is made anew.
 */
export async function bodyFor(request: Request): Promise<string | null> {
  const text = await boundedText(request.body)
  if (text.trim() === '') return null
  let sent: unknown
  try {
    sent = JSON.parse(text)
  } catch {
    throw new Problem('bad_request', 'not JSON', 'body')
  }
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) throw new Problem('bad_request', 'not a JSON object', 'body')
  const passed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(sent)) {
    if (ignoredBodyKeys.includes(key)) continue
    if (!bodyKeys.includes(key)) throw new Problem('bad_request', 'a body asks for a subset, and this is no part of one', key.length > 64 ? 'body' : key)
    if (!(key === 'params' ? areParams(value) : isScalar(value))) throw new Problem('bad_request', 'not of the right type', key)
    passed[key] = value
  }
  return JSON.stringify(passed)
}

const isScalar = (value: unknown) => value === null || ['string', 'number', 'boolean'].includes(typeof value)

const areParams = (value: unknown) =>
  value === null || (typeof value === 'object' && !Array.isArray(value) &&
    Object.entries(value).every(([name, v]) => /^[1-9]\d*$/.test(name) && v !== null && isScalar(v)))

async function boundedText(body: ReadableStream<Uint8Array> | null): Promise<string> {
  if (!body) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let size = 0
  const reader = body.getReader()
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.byteLength
      if (size > maxBody) throw new Problem('too_large', `the body is over ${maxBody} bytes`, 'body')
      text += decoder.decode(part.value, { stream: true })
    }
    return text + decoder.decode()
  } catch (error) {
    await reader.cancel().catch(() => {})
    throw error instanceof Problem ? error : new Problem('bad_request', 'the body is not UTF-8, or broke off', 'body')
  }
}
