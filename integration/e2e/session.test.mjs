// Reading with a session instead of a JWT, and the end of a session.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, inProject, insertDoc, newWorld } from './lib/world.mjs'

forEach(everyKind, (kind) => {
  test('a session reads what its person may see', async (t) => {
    const world = await newWorld(t)
    world.open(kind, 'alice', 'documents', { token: await world.logIn('alice') })
    await world.settled()
    await world.change({ sql: insertDoc(9), touch: [inProject(9, 'atlas')] })
    await world.settled()
  })

  test('after logging out the stream stops with a 401, and nothing more arrives', async (t) => {
    const world = await newWorld(t)
    const session = await world.logIn('alice')
    const left = world.open(kind, 'alice', 'documents', { token: session })
    const stayed = world.open(kind, 'alice')
    await world.settled()
    await world.logOut(session)
    assert.equal((await left.failure()).status, 401)

    const answers = left.received.answers.length
    await world.sql(`UPDATE documents SET title = 'After logging out' WHERE id = '${doc(1)}';`)
    await world.settled(stayed)
    assert.equal(left.received.answers.length, answers)
    assert.ok(!left.received.saw('After logging out'))
  })

  test('what is written at the moment of logging out does not arrive', async (t) => {
    const world = await newWorld(t)
    const session = await world.logIn('alice')
    const left = world.open(kind, 'alice', 'documents', { token: session })
    await world.settled()
    await world.logOut(session)
    await world.sql(`UPDATE documents SET title = 'Too late' WHERE id = '${doc(1)}';`)
    assert.equal((await left.failure()).status, 401)
    assert.ok(!left.received.saw('Too late'))
  })

  test('a new session from onError goes on where the old one ended', async (t) => {
    const world = await newWorld(t)
    const first = await world.logIn('alice')
    const alice = world.open(kind, 'alice', 'documents', {
      token: first,
      onError: async () => ({ headers: { Authorization: `Bearer ${await world.logIn('alice')}` } }),
    })
    await world.settled()
    await world.logOut(first)
    assert.equal((await alice.failure()).status, 401)
    alice.errors.length = 0
    await world.sql(`UPDATE documents SET title = 'Signed in again' WHERE id = '${doc(1)}';`)
    await world.settled()
    assert.equal(alice.received.count(409), 0)
  })

  test('a token that was never given out gets a 401', async (t) => {
    const world = await newWorld(t)
    const nobody = world.open(kind, 'alice', 'documents', { token: 'not-a-token' })
    assert.equal((await nobody.failure()).status, 401)
    assert.deepEqual(nobody.rows(), [])
  })
})
