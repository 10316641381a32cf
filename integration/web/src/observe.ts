// For the timeline only: what arrives in a log, seen on its way to the client.

export type Operation = 'insert' | 'update' | 'delete'

interface Message {
  key?: string
  headers: { operation?: Operation }
  value?: { id?: string; title?: string }
}

/** A row that arrives. Of a collection of grants, held is the permissions that it says are held. */
export interface Arrival {
  operation: Operation
  id: string
  title?: string
  held?: string[]
}

/** A fetch that tells of each row in the answers to live requests. */
export function observed(seen: (arrival: Arrival) => void): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    const url = String(input)
    if (response.status === 200 && url.includes('live=true')) {
      const messages: Message[] = await response.clone().json()
      for (const { headers: { operation }, key, value } of messages) {
        const id = value?.id ?? key?.split('"').at(-2)
        if (!operation || !id) continue
        const held = url.includes('/v1/grants/') ? heldIn(operation === 'delete' ? {} : value) : undefined
        seen({ operation, id, title: value?.title, held })
      }
    }
    return response
  }
}

const heldIn = (row: object = {}) => Object.entries(row).flatMap(([permission, value]) => (value === 'true' ? [permission] : []))
