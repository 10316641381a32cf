// Rows whose primary key changes: in Electric's log a delete and an insert, each
// of which names the other row's key.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, inProject, newWorld } from './lib/world.mjs'

const rename = (from, to) => `UPDATE documents SET id = '${doc(to)}' WHERE id = '${doc(from)}';`

forEach(everyKind, (kind) => {
  /** Renames a document while alice, who may see the 20th, and bob watch. */
  async function renamed(t, from, to) {
    const world = await newWorld(t)
    await world.grant(inProject(20, 'atlas'))
    const alice = world.open(kind, 'alice')
    const bob = world.open(kind, 'bob')
    await world.settled()
    await world.sql(rename(from, to))
    await world.settled()
    return { alice, bob }
  }

  test('a row with a new permitted id stays, under that id', async (t) => {
    const { alice } = await renamed(t, 1, 20)
    assert.deepEqual(alice.ids(), [2, 4, 6, 7, 8, 20].map(doc))
  })

  test('a row with a new id that is not permitted disappears, and the new id is not sent', async (t) => {
    const { alice } = await renamed(t, 1, 21)
    assert.deepEqual(alice.ids(), [2, 4, 6, 7, 8].map(doc))
    assert.ok(!alice.received.saw(doc(21)))
  })

  test('a row that gets a permitted id appears, and its old id is not sent', async (t) => {
    const { alice } = await renamed(t, 5, 20)
    assert.deepEqual(alice.ids(), [1, 2, 4, 6, 7, 8, 20].map(doc))
    assert.ok(!alice.received.saw(doc(5)))
  })

  test('a person who may see neither id is sent nothing', async (t) => {
    const { bob } = await renamed(t, 1, 20)
    assert.ok(!bob.received.saw(doc(1)))
    assert.ok(!bob.received.saw(doc(20)))
  })
})
