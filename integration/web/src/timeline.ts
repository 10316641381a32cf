// What has happened, in both panes, with times. The panes add to it.

import { useSyncExternalStore } from 'react'

export interface Event {
  id: number
  kind: 'act' | 'written' | 'in' | 'out' | 'changed' | 'trouble' | 'good'
  who: string
  text: string
  detail?: string[] // relationships, with + or - before each
  ms?: number // since the last act
}

const most = 60
let events: Event[] = []
let last = 0
let acted: number | undefined
const listeners = new Set<() => void>()

/** Rows that come later than this are not put down to an act. */
const longest = 15_000

function add(event: Omit<Event, 'id'>) {
  events = [{ ...event, id: ++last }, ...events].slice(0, most)
  listeners.forEach((listener) => listener())
}

/** Somebody does something now: what follows is timed from here. */
export function act(who: string, text: string) {
  acted = performance.now()
  add({ kind: 'act', who, text })
}

/** Something has happened; with timed, because of the last act. */
export function happened(event: Omit<Event, 'id' | 'ms'>, timed = true) {
  const ms = acted === undefined ? Infinity : performance.now() - acted
  add(timed && ms < longest ? { ...event, ms } : event)
}

export const useTimeline = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => events,
  )
