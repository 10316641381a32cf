// For the timeline only: what arrives in the log of a shape, seen on its way to the client.

export type Operation = 'insert' | 'update' | 'delete'

interface Message {
  key?: string
  headers: { operation?: Operation }
  value?: { id?: string; title?: string }
}

/** A fetch that tells of each row in the answers to live requests. */
export function observed(seen: (operation: Operation, id: string, title?: string) => void): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (response.status === 200 && String(input).includes('live=true')) {
      const messages: Message[] = await response.clone().json()
      for (const { headers, key, value } of messages) {
        const id = value?.id ?? key?.split('"').at(-2)
        if (headers.operation && id) seen(headers.operation, id, value?.title)
      }
    }
    return response
  }
}
