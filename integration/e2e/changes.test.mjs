// Rows that are written while a reader watches, its grants staying as they are.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, inProject, insertDoc, newWorld } from './lib/world.mjs'

forEach(everyKind, (kind) => {
  /** Opens alice's and bob's readers, after the given grants. */
  async function watch(t, ...grants) {
    const world = await newWorld(t)
    await world.grant(...grants)
    const alice = world.open(kind, 'alice')
    const bob = world.open(kind, 'bob')
    await world.settled()
    return { world, alice, bob }
  }

  test('an inserted row appears to those who may see it', async (t) => {
    const { world, alice, bob } = await watch(t, inProject(9, 'atlas'))
    await world.sql(insertDoc(9, { title: 'Written while alice watches' }))
    await world.settled()
    assert.ok(alice.ids().includes(doc(9)))
    assert.ok(!bob.ids().includes(doc(9)))
  })

  test('an inserted row that nobody may see reaches no reader', async (t) => {
    const { world, alice, bob } = await watch(t, inProject(10, 'atlas'), inProject(10, 'borealis'))
    await world.sql(insertDoc(9, { title: 'For nobody' }), insertDoc(10))
    await world.settled()
    for (const reader of [alice, bob]) assert.ok(!reader.received.saw('For nobody'))
  })

  test('an update reaches those who may see the row, and no other', async (t) => {
    const { world, alice, bob } = await watch(t)
    await world.sql(
      `UPDATE documents SET title = 'Changed, for alice', tags = '{a,b}' WHERE id = '${doc(1)}';`,
      `UPDATE documents SET body = NULL WHERE id = '${doc(4)}';`)
    await world.settled()
    assert.ok(alice.received.saw('Changed, for alice'))
    assert.ok(!bob.received.saw('Changed, for alice'))
    assert.equal(bob.rows().find((row) => row.id === doc(4)).body, null)
  })

  test('an update of every row brings each person their own', async (t) => {
    const { world } = await watch(t)
    await world.sql(`UPDATE documents SET updated_at = '2026-06-01 00:00:00+00';`)
    await world.settled()
  })

  test('a deleted row disappears', async (t) => {
    const { world, alice, bob } = await watch(t)
    await world.sql(`DELETE FROM documents WHERE id IN ('${doc(1)}', '${doc(4)}', '${doc(5)}');`)
    await world.settled()
    assert.deepEqual(alice.ids(), [2, 6, 7, 8].map(doc))
    assert.deepEqual(bob.ids(), [6].map(doc))
  })

  test("a row that leaves the shape's where disappears, and comes back", async (t) => {
    const { world, alice } = await watch(t)
    await world.sql(`UPDATE documents SET archived = true WHERE id = '${doc(1)}';`)
    await world.settled()
    assert.ok(!alice.ids().includes(doc(1)))
    await world.sql(`UPDATE documents SET archived = false, title = 'Back' WHERE id = '${doc(1)}';`)
    await world.settled()
    assert.ok(alice.ids().includes(doc(1)))
  })

  test('changes alone make no client begin anew', async (t) => {
    const { world, alice, bob } = await watch(t, inProject(9, 'atlas'), inProject(10, 'borealis'))
    for (const n of [9, 10]) {
      await world.sql(insertDoc(n))
      await world.settled()
      await world.sql(`UPDATE documents SET title = 'Again' WHERE id = '${doc(n)}';`)
      await world.settled()
      await world.sql(`DELETE FROM documents WHERE id = '${doc(n)}';`)
      await world.settled()
    }
    assert.equal(alice.received.count(409), 0)
    assert.equal(bob.received.count(409), 0)
  })
})
