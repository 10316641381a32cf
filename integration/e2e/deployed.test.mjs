// Parts that are reached as in a deployment: SpiceDB over TCP with a preshared
// key, and sessions in a real Redis server.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, inProject, insertDoc, newWorld } from './lib/world.mjs'

const deployed = { spicedb: 'tcp', sessions: 'redis' }

forEach(everyKind, (kind) => {
  test('a session follows changes, a grant and a revocation, and ends with logging out', async (t) => {
    const world = await newWorld(t, deployed)
    const session = await world.logIn('bob')
    const bob = world.open(kind, 'bob', 'documents', { token: session })
    await world.settled()

    await world.sql(`UPDATE documents SET title = 'Changed' WHERE id = '${doc(4)}';`)
    await world.settled()
    await world.change({ sql: insertDoc(9), touch: [inProject(9, 'borealis')] })
    await world.settled()
    assert.deepEqual(bob.ids(), [4, 6, 9].map(doc))
    await world.revoke(inProject(9, 'borealis'))
    await world.settled()
    assert.deepEqual(bob.ids(), [4, 6].map(doc))

    await world.logOut(session)
    assert.equal((await bob.failure()).status, 401)
  })

  test('a SpiceDB server that goes away and comes back is found again', async (t) => {
    const world = await newWorld(t, deployed)
    const alice = world.open(kind, 'alice')
    await world.settled()
    await world.pauseSpiceDB()
    await world.change({ sql: insertDoc(9), touch: [inProject(9, 'atlas')] })
    await world.resumeSpiceDB()
    await world.settled()
    assert.ok(alice.ids().includes(doc(9)))
  })
})
