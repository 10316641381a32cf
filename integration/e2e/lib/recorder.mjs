// What a client received, byte for byte, and whether it was meant for it.

import { EventEmitter } from 'node:events'

const anyID = /(?:d0c0|5a1a)0000-0000-4000-8000-[0-9a-f]{12}/g

/**
 * Recorder is a fetch that keeps every answer before the client sees it. It emits
 * "end" with each that has come to its end.
 */
export class Recorder extends EventEmitter {
  answers = []
  #line = new AbortController()

  /** Cuts what is under way, and has all requests fail until online is called. */
  offline = () => this.#line.abort(new TypeError('fetch failed: offline'))
  online = () => { this.#line = new AbortController() }

  fetch = async (url, init) => {
    const signals = [this.#line.signal, init?.signal].filter(Boolean)
    const response = await fetch(url, { ...init, signal: AbortSignal.any(signals) })
    const answer = {
      url: new URL(url),
      method: init?.method ?? 'GET',
      status: response.status,
      type: response.headers.get('content-type') ?? '',
      head: [...response.headers].map((header) => header.join(': ')).join('\n'),
      text: '',
    }
    this.answers.push(answer)
    if (!response.body) return response
    const decoder = new TextDecoder()
    const body = response.body.pipeThrough(new TransformStream({
      transform(chunk, controller) {
        answer.text += decoder.decode(chunk, { stream: true })
        controller.enqueue(chunk)
      },
      flush: () => this.emit('end', answer),
    }))
    return new Response(body, response)
  }

  /** How many answers there were with this status. */
  count = (status) => this.answers.filter((answer) => answer.status === status).length

  /** Whether a text stood in any answer. */
  saw = (text) => this.answers.some((answer) => answer.text.includes(text))

  /** The messages about rows, of all answers, in order. */
  get messages() {
    return this.answers.flatMap(messagesOf).filter((message) => message.key)
  }

  /**
   * Lists what was received and is not in ever: {id: {column: [value, …]}}, all
   * that the person was ever permitted to see, in Postgres' text forms.
   */
  forbidden(ever) {
    const found = []
    for (const { text, head } of this.answers) {
      for (const [id] of (head + text).matchAll(anyID)) {
        if (!ever[id]) found.push(`the id ${id}`)
      }
    }
    for (const { key, value, old_value, headers } of this.messages) {
      for (const named of [key, headers.key_change_to, headers.key_change_from]) {
        if (named && !ever[idOf(named)]) found.push(`the key ${named}`)
      }
      for (const [column, cell] of [...Object.entries(value), ...Object.entries(old_value ?? {})]) {
        if (!ever[idOf(key)]?.[column]?.includes(cell)) found.push(`${column} = ${cell} of ${key}`)
      }
    }
    return [...new Set(found)]
  }
}

/** The id in a key such as "public"."documents"/"d0c…". */
const idOf = (key) => key.split('/').at(-1).slice(1, -1)

function messagesOf({ type, text }) {
  if (type.startsWith('text/event-stream')) {
    return text.split('\n\n').filter((event) => event.startsWith('data: '))
      .flatMap((event) => parse(event.slice('data: '.length)))
  }
  const body = parse(text)
  return Array.isArray(body) ? body : body.data ?? []
}

/** Parses JSON; what was cut off, as when a client closed, holds no message. */
function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return []
  }
}
