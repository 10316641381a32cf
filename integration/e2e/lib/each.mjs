import { describe } from 'node:test'

/** Defines the same tests for several kinds of readers. They run side by side. */
export function forEach(kinds, define) {
  for (const kind of kinds) describe(kind, { concurrency: 4 }, () => define(kind))
}
