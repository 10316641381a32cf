// A day in the life of two people who watch: grants, groups, projects, bans and rows
// change, one after the other and at once. After each step both hold exactly what
// they may see, and no client ever begins anew.

import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { collectionKinds, everyKind, neverBeganAnew } from './lib/readers.mjs'
import { doc, inProject, insertDoc, newWorld } from './lib/world.mjs'

const viewer = (n, person) => `document:${doc(n)}#viewer@user:${person}`
const banned = (n, person) => `document:${doc(n)}#banned@user:${person}`
const retitle = (n, title) => `UPDATE documents SET title = '${title}' WHERE id = '${doc(n)}';`

/** What happens, in this order. */
const day = [
  ['a grant', { touch: [viewer(1, 'bob')] }],
  ['a row of it changes', { sql: retitle(1, 'Seen by both') }],
  ['a revocation', { delete: [viewer(1, 'bob')] }],
  ['a row that was revoked changes', { sql: retitle(1, 'Not for bob now') }],
  ['joining a group', { touch: ['group:engineering#member@user:bob'] }],
  ['rows of the group change', { sql: `UPDATE documents SET updated_at = '2026-06-01 00:00:00+00';` }],
  ['a group in a group', { touch: ['group:engineering#member@group:leads#member', 'group:leads#member@user:bob'] }],
  ['leaving one of two groups', { delete: ['group:engineering#member@user:bob'] }],
  ['leaving the other', { delete: ['group:leads#member@user:bob'] }],
  ['a document moves to another project', { delete: [inProject(1, 'atlas')], touch: [inProject(1, 'borealis')] }],
  ['and back', { delete: [inProject(1, 'borealis')], touch: [inProject(1, 'atlas')] }],
  ['leading a project', { touch: ['project:atlas#lead@user:bob'] }],
  ['a ban from what is granted twice', { touch: [viewer(2, 'bob'), banned(2, 'bob')] }],
  ['the ban is lifted', { delete: [banned(2, 'bob')] }],
  ['a row is written before it is granted', { sql: insertDoc(9, { title: 'A draft' }) }],
  ['and cleaned', { sql: retitle(9, 'Clean') }],
  ['and granted', { touch: [viewer(9, 'alice'), viewer(9, 'bob')] }],
  ['a row is granted before it is written', { touch: [viewer(10, 'bob')] }],
  ['and written', { sql: insertDoc(10) }],
  ['rows are written and granted at once', { sql: insertDoc(11) + insertDoc(12), touch: [inProject(11, 'atlas'), viewer(12, 'bob')] }],
  ['a row is revoked and written at once', { delete: [viewer(9, 'bob')], sql: retitle(9, 'For alice') }],
  ['a row leaves the shape', { sql: `UPDATE documents SET archived = true WHERE id = '${doc(10)}';` }],
  ['a row that is not there is revoked', { delete: [viewer(10, 'bob')] }],
  ['a row gets another id', { sql: `UPDATE documents SET id = '${doc(20)}' WHERE id = '${doc(12)}';` }],
  ['which is granted', { touch: [viewer(20, 'alice'), viewer(20, 'bob')] }],
  ['a deleted row', { sql: `DELETE FROM documents WHERE id = '${doc(20)}';` }],
  ['everything that bob leads is taken away', { delete: ['project:atlas#lead@user:bob'] }],
]

forEach(everyKind, (kind) => {
  for (const shape of ['documents', 'project_feed']) {
    test(`a day with ${shape}`, async (t) => {
      const world = await newWorld(t)
      const alice = world.open(kind, 'alice', shape)
      const bob = world.open(kind, 'bob', shape)
      await world.settled()
      for (const [step, change] of day) {
        await world.change(change)
        try {
          await world.settled()
        } catch (error) {
          error.message = `after "${step}": ${error.message}`
          throw error
        }
      }
      neverBeganAnew(alice, bob)
    })
  }
})

forEach(collectionKinds, (kind) => {
  test('the transaction of a row whose grant comes later is awaited', async (t) => {
    const world = await newWorld(t)
    const bob = world.open(kind, 'bob')
    await world.settled()
    const txid = await world.sql(insertDoc(9))
    await world.sql(insertDoc(10)) // which bob never sees
    const back = bob.awaitTxId(txid)
    await world.grant(viewer(9, 'bob'))
    await back
    await world.settled()
    neverBeganAnew(bob)
  })
})
