// A filter on a column that is not the primary key: a row is visible while its
// project is, so that an update of the row can bring it in or take it out.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, insertDoc, newWorld } from './lib/world.mjs'

const move = (n, project) => `UPDATE documents SET project_id = '${project}' WHERE id = '${doc(n)}';`

forEach(everyKind, (kind) => {
  /** Alice leads comet, and sees its documents, the 7th and the 8th; bob leads nothing. */
  async function watch(t) {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice', 'project_feed')
    const bob = world.open(kind, 'bob', 'project_feed')
    await world.settled()
    assert.deepEqual(alice.ids(), [7, 8].map(doc))
    assert.deepEqual(bob.ids(), [])
    return { world, alice, bob }
  }

  test('a row moves in, without its past', async (t) => {
    const { world, alice } = await watch(t)
    await world.sql(move(1, 'comet'))
    await world.settled()
    assert.deepEqual(alice.ids(), [1, 7, 8].map(doc))
    assert.ok(!alice.received.saw('atlas'))
  })

  test('a row moves out, and its new place is not sent', async (t) => {
    const { world, alice } = await watch(t)
    await world.sql(move(7, 'atlas'))
    await world.settled()
    assert.deepEqual(alice.ids(), [doc(8)])
    assert.ok(!alice.received.saw('atlas'))
  })

  test('a row moves out and in again', async (t) => {
    const { world, alice } = await watch(t)
    await world.sql(move(7, 'atlas'))
    await world.sql(`UPDATE documents SET title = 'Meanwhile' WHERE id = '${doc(7)}';`)
    await world.sql(`UPDATE documents SET title = 'Again', project_id = 'comet' WHERE id = '${doc(7)}';`)
    await world.settled()
    assert.deepEqual(alice.ids(), [7, 8].map(doc))
    assert.ok(!alice.received.saw('Meanwhile'))
  })

  test('rows are inserted, changed and deleted where they may be seen', async (t) => {
    const { world, alice } = await watch(t)
    await world.sql(insertDoc(9, { project: 'comet' }), insertDoc(10, { project: 'atlas' }))
    await world.settled()
    await world.sql(`UPDATE documents SET title = 'Changed';`)
    await world.settled()
    await world.sql(`DELETE FROM documents WHERE id IN ('${doc(7)}', '${doc(1)}');`)
    await world.settled()
    assert.deepEqual(alice.ids(), [8, 9].map(doc))
  })

  test('a new id in the same project keeps the row', async (t) => {
    const { world, alice } = await watch(t)
    await world.sql(`UPDATE documents SET id = '${doc(20)}' WHERE id = '${doc(7)}';`)
    await world.settled()
    assert.deepEqual(alice.ids(), [8, 20].map(doc))
  })

  test('a new id and a new project at once take the row away', async (t) => {
    const { world, alice } = await watch(t)
    await world.sql(`UPDATE documents SET id = '${doc(20)}', project_id = 'atlas' WHERE id = '${doc(7)}';`)
    await world.settled()
    assert.deepEqual(alice.ids(), [doc(8)])
    assert.ok(!alice.received.saw(doc(20)))
  })

  test('a project that is granted brings all its rows, and takes them with it', async (t) => {
    const { world, bob } = await watch(t)
    await world.grant('project:borealis#lead@user:bob')
    await world.settled()
    assert.deepEqual(bob.ids(), [4, 5, 6].map(doc))
    await world.revoke('project:borealis#lead@user:bob')
    await world.settled()
    assert.deepEqual(bob.ids(), [])
  })
})
