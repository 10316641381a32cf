// Waiting for what has to happen, instead of for a time to pass.

/** How long anything may take, in milliseconds: ample for a busy machine. */
export const deadline = 30_000

/**
 * Resolves with check()'s value as soon as that is truthy. It is asked now and
 * whenever the source says that something happened; subscribe(callback) returns
 * how to stop. An error of check, or the deadline with expired()'s error, rejects.
 */
export function eventually(subscribe, check, expired) {
  return new Promise((resolve, reject) => {
    let stop
    const end = (settle, value) => {
      clearTimeout(timer)
      stop?.()
      settle(value)
    }
    const ask = () => {
      try {
        const value = check()
        if (value) end(resolve, value)
      } catch (error) {
        end(reject, error)
      }
    }
    const timer = setTimeout(() => end(reject, expired()), deadline)
    stop = subscribe(ask)
    ask()
  })
}
