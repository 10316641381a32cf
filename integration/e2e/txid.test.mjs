// awaitTxId: a collection learns that its own write has come back to it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { collectionKinds } from './lib/readers.mjs'
import { deadline } from './lib/wait.mjs'
import { doc, inProject, insertDoc, newWorld } from './lib/world.mjs'

forEach(collectionKinds, (kind) => {
  async function watch(t, options) {
    const world = await newWorld(t)
    await world.grant(inProject(9, 'atlas'))
    const alice = world.open(kind, 'alice', 'documents', options?.(world))
    await world.settled()
    return { world, alice }
  }

  test('an insert comes back', async (t) => {
    const { world, alice } = await watch(t)
    await alice.awaitTxId(await world.sql(insertDoc(9)))
    assert.ok(alice.ids().includes(doc(9)))
  })

  test('an update and a delete come back', async (t) => {
    const { world, alice } = await watch(t)
    await alice.awaitTxId(await world.sql(`UPDATE documents SET title = 'Mine' WHERE id = '${doc(1)}';`))
    assert.equal(alice.rows().find((row) => row.id === doc(1)).title, 'Mine')
    await alice.awaitTxId(await world.sql(`DELETE FROM documents WHERE id = '${doc(1)}';`))
    assert.ok(!alice.ids().includes(doc(1)))
  })

  test('a write comes back whose grant was made with it', async (t) => {
    const { world, alice } = await watch(t)
    await alice.awaitTxId(await world.change({ sql: insertDoc(10), touch: [inProject(10, 'atlas')] }))
    await world.settled()
    assert.ok(alice.ids().includes(doc(10)))
  })

  test('a write comes back whose grant followed later', async (t) => {
    const { world, alice } = await watch(t)
    const txid = await world.sql(insertDoc(10))
    await world.settled()
    const back = alice.awaitTxId(txid)
    await world.grant(inProject(10, 'atlas'))
    await back
    await world.settled()
  })

  test('a write right after a change of grants comes back', async (t) => {
    const { world, alice } = await watch(t)
    await world.grant(`document:${doc(5)}#viewer@user:alice`)
    await world.settled()
    await alice.awaitTxId(await world.sql(insertDoc(9)))
    assert.ok(alice.ids().includes(doc(9)))
  })

  test('an optimistic insert is kept when it comes back', async (t) => {
    const { world, alice } = await watch(t, (world) => ({
      onInsert: async ({ transaction }) => {
        const { title } = transaction.mutations[0].modified
        return { txid: await world.sql(insertDoc(9, { title })), timeout: deadline }
      },
    }))
    const written = alice.collection.insert({
      id: doc(9), project_id: 'atlas', title: 'Mine at once', body: null, tags: [], updated_at: '2026-03-01 10:00:00+00',
    })
    assert.ok(alice.ids().includes(doc(9)))
    await written.isPersisted.promise
    await world.settled()
  })
})
