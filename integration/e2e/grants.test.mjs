// Grants that come and go while a reader watches: it gains and loses the rows, and
// never begins anew.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind, neverBeganAnew } from './lib/readers.mjs'
import { doc, inProject, insertDoc, newWorld } from './lib/world.mjs'

const viewer = (n, person) => `document:${doc(n)}#viewer@user:${person}`
const retitle = (n, title) => `UPDATE documents SET title = '${title}' WHERE id = '${doc(n)}';`

forEach(everyKind, (kind) => {
  async function watch(t) {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice')
    const bob = world.open(kind, 'bob')
    await world.settled()
    t.after(() => neverBeganAnew(alice, bob))
    return { world, alice, bob }
  }

  test('a granted row appears', async (t) => {
    const { world, bob } = await watch(t)
    await world.grant(viewer(1, 'bob'))
    await world.settled()
    assert.deepEqual(bob.ids(), [1, 4, 6].map(doc))
  })

  test('a revoked row disappears', async (t) => {
    const { world, alice } = await watch(t)
    await world.revoke(viewer(4, 'alice'))
    await world.settled()
    assert.deepEqual(alice.ids(), [1, 2, 6, 7, 8].map(doc))
  })

  test('what is written about a revoked row does not arrive', async (t) => {
    const { world, alice } = await watch(t)
    await world.change({ delete: [viewer(4, 'alice')], sql: retitle(4, 'Not for alice any more') })
    await world.sql(retitle(4, 'Nor this'), retitle(1, 'But this'))
    await world.settled()
    assert.ok(alice.received.saw('But this'))
    assert.ok(!alice.received.saw('Not for alice any more'))
    assert.ok(!alice.received.saw('Nor this'))
  })

  test('a row that is granted, revoked and granted again is there in the end', async (t) => {
    const { world, bob } = await watch(t)
    await world.grant(viewer(1, 'bob'))
    await world.settled()
    await world.revoke(viewer(1, 'bob'))
    await world.settled()
    await world.change({ sql: retitle(1, 'The third time'), touch: [viewer(1, 'bob')] })
    await world.settled()
    assert.ok(bob.ids().includes(doc(1)))
  })

  test('joining a group brings what the group may see, leaving it takes it away', async (t) => {
    const { world, bob } = await watch(t)
    await world.grant('group:engineering#member@user:bob')
    await world.settled()
    assert.deepEqual(bob.ids(), [1, 2, 4, 6].map(doc))
    await world.revoke('group:engineering#member@user:bob')
    await world.settled()
    assert.deepEqual(bob.ids(), [4, 6].map(doc))
  })

  test('a ban takes a row away from a person who is granted it twice over', async (t) => {
    const { world, alice } = await watch(t)
    await world.grant(viewer(1, 'alice'), `document:${doc(1)}#banned@user:alice`)
    await world.settled()
    assert.ok(!alice.ids().includes(doc(1)))
  })

  test('a row that is written first and granted later appears', async (t) => {
    const { world, bob } = await watch(t)
    await world.sql(insertDoc(9))
    await world.settled()
    await world.grant(viewer(9, 'bob'))
    await world.settled()
    assert.ok(bob.ids().includes(doc(9)))
  })

  test('a row that is granted first and written later appears', async (t) => {
    const { world, bob } = await watch(t)
    await world.grant(viewer(9, 'bob'))
    await world.settled()
    await world.sql(insertDoc(9))
    await world.settled()
    assert.ok(bob.ids().includes(doc(9)))
  })

  test('a row that is written and granted at the same moment appears', async (t) => {
    const { world, alice } = await watch(t)
    for (const n of [9, 10, 11]) {
      await world.change({ sql: insertDoc(n), touch: [inProject(n, 'atlas')] })
    }
    await world.settled()
    assert.deepEqual(alice.ids(), [1, 2, 4, 6, 7, 8, 9, 10, 11].map(doc))
  })

  test('a grant covers the present of a row, not its past', async (t) => {
    const { world, bob } = await watch(t)
    await world.sql(retitle(1, 'A draft with a secret'))
    await world.sql(retitle(1, 'Clean'))
    await world.grant(viewer(1, 'bob'))
    await world.settled()
    assert.ok(bob.received.saw('Clean'))
    assert.ok(!bob.received.saw('A draft with a secret'))
  })

  test("another person's grants do not concern a reader", async (t) => {
    const { world, alice, bob } = await watch(t)
    await world.grant(viewer(1, 'bob'))
    await world.settled()
    await world.sql(retitle(1, 'Seen by both'))
    await world.settled()
    assert.deepEqual(bob.ids(), [1, 4, 6].map(doc))
  })
})
