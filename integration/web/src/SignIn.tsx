import { useId, useState } from 'react'
import type { FormEvent } from 'react'
import type { Person } from './api'
import { ways } from './credentials'
import type { Way } from './credentials'
import { nameOf } from './workspace'

interface Props {
  people: Person[]
  first: string | undefined
  cookieTaken: boolean
  onSignIn: (person: string, way: Way) => Promise<void>
}

/** Who, and with which credentials. */
export function SignIn({ people, first, cookieTaken, onSignIn }: Props) {
  const [chosen, setChosen] = useState<string>()
  const [wanted, setWanted] = useState<Way>('bearer')
  const [busy, setBusy] = useState(false)
  const name = useId()
  const person = chosen ?? first
  const way = cookieTaken && wanted === 'cookie' ? 'bearer' : wanted

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (!person || busy) return
    setBusy(true)
    await onSignIn(person, way)
    setBusy(false)
  }
  return (
    <form className="signin" onSubmit={submit}>
      <h2>Sign in</h2>
      <fieldset>
        <legend>As</legend>
        {people.map((p) => (
          <label key={p.id} className="choice">
            <input type="radio" name={`${name}-person`} checked={p.id === person} onChange={() => setChosen(p.id)} />
            <span><strong>{nameOf(p.id)}</strong> <small>{p.about}</small></span>
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>With</legend>
        {(Object.keys(ways) as Way[]).map((w) => (
          <label key={w} className="choice">
            <input type="radio" name={`${name}-way`} checked={w === way} disabled={w === 'cookie' && cookieTaken} onChange={() => setWanted(w)} />
            <span>
              <strong>{ways[w].name}</strong>{' '}
              <small>{w === 'cookie' && cookieTaken ? 'The browser keeps one cookie for this page, and the other pane has it.' : ways[w].about}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <button type="submit" className="primary" disabled={!person || busy}>
        {person ? `Sign in as ${nameOf(person)}` : 'Loading…'}
      </button>
    </form>
  )
}
