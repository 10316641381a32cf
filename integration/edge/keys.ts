// The public keys that shapegate publishes, kept for a while.

import { Problem } from './problem.ts'

/** How old keys may be, in milliseconds: what shapegate's Cache-Control says. */
const maxAge = 60_000

/** How often keys are fetched at most, in milliseconds, whatever tokens name. */
const minInterval = 10_000

const timeout = 5_000

/** How a key verifies: its algorithm in a token's header, and in WebCrypto. */
const algorithms: Record<string, { kty: string; crv: string; imported: object; verify: object }> = {
  EdDSA: { kty: 'OKP', crv: 'Ed25519', imported: { name: 'Ed25519' }, verify: { name: 'Ed25519' } },
  ES256: {
    kty: 'EC', crv: 'P-256',
    imported: { name: 'ECDSA', namedCurve: 'P-256' }, verify: { name: 'ECDSA', hash: 'SHA-256' },
  },
}

export interface VerificationKey {
  key: CryptoKey
  algorithm: string
  verify: object
}

export class Keys {
  #keys = new Map<string, VerificationKey>()
  #readAt = -Infinity // when keys were read last
  #triedAt = -Infinity // when it was tried last
  #reading?: Promise<void> | undefined

  constructor(readonly url: string, readonly fetch: typeof globalThis.fetch, readonly now: () => number) {}

  /**
   * The key of an id, or undefined. The keys are fetched again when they are old, and for an
   * id that is not among them; but not more often than every ten seconds, so that whoever
   * makes up ids costs shapegate nothing. If they cannot be fetched, the last ones stay: an
   * error is thrown only where there were none yet.
   */
  async find(id: string): Promise<VerificationKey | undefined> {
    const now = this.now()
    const wanted = now - this.#readAt >= maxAge || !this.#keys.has(id)
    if (this.#reading) await this.#reading
    else if (wanted && now - this.#triedAt >= minInterval) await this.#read()
    if (this.#readAt === -Infinity) throw new Problem('unavailable', 'the keys of tokens cannot be read now')
    return this.#keys.get(id)
  }

  /** Reads the keys. Those who ask meanwhile wait for the same answer. */
  #read(): Promise<void> {
    this.#triedAt = this.now()
    this.#reading = this.#fetchKeys()
      .then((keys) => {
        this.#keys = keys
        this.#readAt = this.now()
      })
      .catch((error) => console.error('the keys of tokens cannot be read:', error))
      .finally(() => { this.#reading = undefined })
    return this.#reading
  }

  async #fetchKeys(): Promise<Map<string, VerificationKey>> {
    const { fetch } = this // called without this, as platforms want it
    const response = await fetch(this.url, { headers: { Accept: 'application/json' }, redirect: 'manual', signal: AbortSignal.timeout(timeout) })
    if (response.status !== 200) throw new Error(`status ${response.status}`)
    const { keys } = (await response.json()) as { keys: JsonWebKey[] }
    const read = new Map<string, VerificationKey>()
    for (const jwk of keys as (JsonWebKey & { kid?: string })[]) {
      const use = algorithms[jwk.alg ?? '']
      if (!use || typeof jwk.kid !== 'string' || jwk.kty !== use.kty || jwk.crv !== use.crv) continue
      // The parts of a public key alone: whatever else stands there is not imported.
      const { kty, crv, x, y } = jwk
      const part = { kty, crv, ...(x !== undefined && { x }), ...(y !== undefined && { y }) }
      const key = await crypto.subtle.importKey('jwk', part, use.imported as Algorithm, false, ['verify'])
      read.set(jwk.kid, { key, algorithm: jwk.alg as string, verify: use.verify })
    }
    if (read.size === 0) throw new Error('there is no key that can be used')
    return read
  }
}
