import { useCallback, useState } from 'react'
import type { Health } from './collections'

const worst: Health[] = ['signed-out', 'refused', 'offline', 'unavailable', 'live']

/** The worst of what was reported of the shapes last; undefined before the first report. */
export function useHealth() {
  const [shapes, setShapes] = useState<Record<string, Health>>({})
  const report = useCallback(
    (health: Health, shape: string) => setShapes((before) => (before[shape] === health ? before : { ...before, [shape]: health })),
    [],
  )
  const reset = useCallback(() => setShapes({}), [])
  const health = worst.find((h) => Object.values(shapes).includes(h))
  return [health, report, reset] as const
}
