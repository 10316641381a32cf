// Signing in, in three ways that shapegate takes.

import type { Credentials } from './collections'

/** A JWT as bearer, or a session for it: its token as bearer, or its cookie. */
export const ways = {
  bearer: { name: 'JWT', about: 'The page sends the JWT itself.' },
  token: { name: 'Session token', about: 'POST /v1/session gives a token that can be taken back.' },
  cookie: { name: 'Session cookie', about: 'POST /v1/session sets a cookie that no script can read.' },
} as const

export type Way = keyof typeof ways

/** A person who is signed in. */
export class SignedIn implements Credentials {
  readonly person: string
  readonly way: Way
  authorization?: () => Promise<string>
  #bearer = ''
  #renewAt = 0 // in performance.now()'s time, which no clock on the wall can move
  #renewal: Promise<boolean> | undefined
  #ended = false

  private constructor(person: string, way: Way) {
    this.person = person
    this.way = way
    if (way !== 'cookie') {
      this.authorization = async () => {
        if (performance.now() > this.#renewAt) await this.renew()
        return `Bearer ${this.#bearer}`
      }
    }
  }

  static async signIn(person: string, way: Way): Promise<SignedIn> {
    const me = new SignedIn(person, way)
    await me.#exchange()
    return me
  }

  /** What the page shows of the credentials. */
  get shown(): string {
    return this.way === 'cookie'
      ? 'Cookie: shapegate_session=… (HttpOnly)'
      : `Authorization: Bearer ${this.#bearer.slice(0, 10)}…`
  }

  /** Gets new credentials, once for all who ask at the same time. */
  renew = (): Promise<boolean> => {
    this.#renewal ??= this.#untilRenewed().finally(() => (this.#renewal = undefined))
    return this.#renewal
  }

  /** The backend may be away for a moment. That it refuses is final. */
  async #untilRenewed(): Promise<boolean> {
    for (let wait = 250; !this.#ended; wait = Math.min(wait * 2, 4_000)) {
      try {
        await this.#exchange()
        return true
      } catch (error) {
        if (error instanceof Refused) return false
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
    return false
  }

  /**
   * The answer about a session sets its cookie, and ending one removes it. Who uses the token
   * leaves the cookie alone: it may be somebody else's, in the other pane.
   */
  get #cookies(): RequestCredentials {
    return this.way === 'cookie' ? 'same-origin' : 'omit'
  }

  async #exchange() {
    const { token, expires_in } = await post('/demo/token', { body: JSON.stringify({ person: this.person }) })
    this.#bearer = token
    if (this.way !== 'bearer') {
      const session = await post('/v1/session', { headers: { Authorization: `Bearer ${token}` }, credentials: this.#cookies })
      this.#bearer = this.way === 'token' ? session.token : ''
    }
    this.#renewAt = performance.now() + expires_in * 800 // ms: well before it ends
  }

  /** Ends the session. A JWT is only forgotten: it holds until it expires. */
  async signOut() {
    this.#ended = true
    if (this.way === 'bearer') return
    const headers: HeadersInit = this.way === 'token' ? { Authorization: `Bearer ${this.#bearer}` } : {}
    await fetch('/v1/session', { method: 'DELETE', headers, credentials: this.#cookies })
  }
}

class Refused extends Error {}

async function post(path: string, init: RequestInit) {
  const response = await fetch(path, { method: 'POST', ...init })
  if (response.ok) return response.json()
  throw new (response.status < 500 && response.status !== 429 ? Refused : Error)(`signing in: ${response.status}`)
}
