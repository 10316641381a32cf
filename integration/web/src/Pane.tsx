import { useEffect, useRef, useState } from 'react'
import type { Me, Person } from './api'
import { SignedIn, ways } from './credentials'
import type { Way } from './credentials'
import { Documents } from './Documents'
import { Groups } from './Groups'
import { Notice } from './Notice'
import { useHealth } from './health'
import { SignIn } from './SignIn'
import { AskWhy } from './Why'
import { act, happened, useTimeline } from './timeline'
import { nameOf, openWorkspace, told } from './workspace'
import type { Workspace } from './workspace'

interface Props {
  side: 'left' | 'right'
  people: Person[]
  first: string | undefined
  cookieTaken: boolean
  onCookie: (used: boolean) => void
}

/** One person. */
export function Pane({ side, people, first, cookieTaken, onCookie }: Props) {
  const [workspace, setWorkspace] = useState<Workspace>()
  const [problem, setProblem] = useState<string>()
  const [health, report, reset] = useHealth()
  const region = useRef<HTMLElement>(null)

  const signIn = async (person: string, way: Way) => {
    setProblem(undefined)
    try {
      const me = await SignedIn.signIn(person, way)
      reset()
      onCookie(way === 'cookie')
      setWorkspace(openWorkspace(me, report))
      act(person, `signs in with a ${ways[way].name.replace('S', 's')}`)
    } catch (error) {
      setProblem(told(error))
    }
  }

  const signOut = async () => {
    if (!workspace) return
    const { me, shapes } = workspace
    setWorkspace(undefined)
    setProblem(undefined)
    onCookie(false)
    act(me.person, 'signs out')
    region.current?.focus()
    void shapes.signOut() // before the session ends, which would answer what is open with 401
    await me.signOut().catch(() => happened({ kind: 'trouble', who: me.person, text: 'the session could not be ended, and ends by itself' }, false))
  }

  const person = people.find((p) => p.id === workspace?.me.person)
  return (
    <section className="pane" aria-label={workspace ? `${nameOf(workspace.me.person)}, ${side} pane` : `${side} pane`} data-side={side} ref={region} tabIndex={-1}>
      {workspace ? (
        <>
          <header className="who">
            <span className="avatar" aria-hidden="true">{nameOf(workspace.me.person).charAt(0)}</span>
            <div>
              <h2>{nameOf(workspace.me.person)}</h2>
              <p>{person?.about}</p>
            </div>
            <button type="button" className="quiet" onClick={() => void signOut()}>Sign out</button>
          </header>
          <p className="credentials">
            <span className="badge">{ways[workspace.me.way].name}</span> <code>{workspace.me.shown}</code>
          </p>
          <Notice health={health} who={workspace.me.person} />
          {problem && <Alert text={problem} onClose={() => setProblem(undefined)} />}
          {health !== 'refused' && health !== 'signed-out' && (
            <Open key={workspace.me.person} workspace={workspace} people={people} onProblem={setProblem} />
          )}
          <AskWhy key={`why ${workspace.me.person}`} workspace={workspace} />
        </>
      ) : (
        <>
          {problem && <Alert text={problem} onClose={() => setProblem(undefined)} />}
          <SignIn people={people} first={first} cookieTaken={cookieTaken} onSignIn={signIn} />
        </>
      )}
    </section>
  )
}

const Alert = ({ text, onClose }: { text: string; onClose: () => void }) => (
  <div className="notice bad" role="alert">
    <p>{text}</p>
    <button type="button" className="quiet" onClick={onClose}>Dismiss</button>
  </div>
)

/** What a person sees who is let in. */
function Open({ workspace, people, onProblem }: { workspace: Workspace; people: Person[]; onProblem: (text: string | undefined) => void }) {
  const me = useMe(workspace)
  return (
    <>
      <Documents workspace={workspace} people={people} me={me} onProblem={onProblem} />
      {me?.administers && <Groups workspace={workspace} people={people} me={me} onProblem={onProblem} />}
    </>
  )
}

/** What the person may do, asked again after each write. */
function useMe({ api }: Workspace): Me | undefined {
  const [me, setMe] = useState<Me>()
  const lastWrite = useTimeline().find((event) => event.kind === 'written')?.id
  useEffect(() => {
    let stale = false
    api.me().then((now) => stale || setMe(now), () => undefined) // shown as trouble already
    return () => {
      stale = true
    }
  }, [api, lastWrite])
  return me
}
