import { useEffect, useState } from 'react'
import type { Health } from './collections'
import { happened } from './timeline'
import { nameOf } from './workspace'

/** A restart is over before this: nobody needs to know. */
const patience = 1_500

/** Says how it stands with the rows, and puts troubles that last on the timeline. */
export function Notice({ health, who }: { health: Health | undefined; who: string }) {
  const [shown, setShown] = useState<Health>()
  useEffect(() => {
    const show = () => setShown(health)
    if (health !== 'offline' && health !== 'unavailable') return show()
    const timer = setTimeout(show, patience)
    return () => clearTimeout(timer)
  }, [health])
  useEffect(() => {
    if (!shown || shown === 'live') return
    happened({ kind: 'trouble', who, text: told[shown].short }, shown === 'refused')
    return () => happened({ kind: 'good', who, text: 'is live again' }, shown === 'refused')
  }, [shown, who])

  const bad = shown !== undefined && shown !== 'live'
  return (
    <div className={bad ? `notice ${shown === 'refused' || shown === 'signed-out' ? 'bad' : 'warn'}` : 'notice calm'} role="status" data-health={shown ?? 'connecting'}>
      <p>{bad ? told[shown].long(nameOf(who)) : shown === 'live' ? 'Live' : 'Connecting…'}</p>
    </div>
  )
}

const told: Record<Exclude<Health, 'live'>, { short: string; long: (name: string) => string }> = {
  offline: {
    short: 'is offline',
    long: () => 'Offline. These rows are as they were; they become current by themselves.',
  },
  unavailable: {
    short: 'waits: permissions cannot be checked (503)',
    long: () => 'Permissions cannot be checked at the moment (503). These rows are as they were; this goes on by itself.',
  },
  refused: {
    short: 'may not read (403): all rows are gone',
    long: (name) => `${name} may not read documents in this workspace (403). Asked again every few seconds.`,
  },
  'signed-out': {
    short: 'is signed out (401)',
    long: (name) => `${name} has to sign in again (401).`,
  },
}
