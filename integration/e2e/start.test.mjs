// What a reader holds once it has read a shape for the first time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, newWorld } from './lib/world.mjs'

forEach(everyKind, (kind) => {
  test('two people start with exactly the rows that each may see', async (t) => {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice')
    const bob = world.open(kind, 'bob')
    await world.settled()
    assert.deepEqual(alice.ids(), [1, 2, 4, 6, 7, 8].map(doc))
    assert.deepEqual(bob.ids(), [4, 6].map(doc))
  })

  test('rows have the columns of the shape, with their values', async (t) => {
    const world = await newWorld(t)
    const bob = world.open(kind, 'bob')
    await world.settled()
    assert.deepEqual(bob.rows().find((row) => row.id === doc(4)), {
      id: doc(4), project_id: 'borealis', title: 'Borealis plan', body: 'Shared with alice.',
      tags: ['plan'], updated_at: '2026-02-03 10:00:00+00',
    })
  })

  test('a person who may see no row has none, and is up to date', async (t) => {
    const world = await newWorld(t)
    await world.revoke('project:borealis#viewer@user:bob')
    const bob = world.open(kind, 'bob')
    await world.settled()
    assert.deepEqual(bob.rows(), [])
  })

  test('a caveat is decided by the claims of the token', async (t) => {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice', 'salaries')
    await world.settled()
    assert.deepEqual(alice.rows().map((row) => [row.person, row.amount]), [['alice', 84000]])
  })
})

test('each kind of reader reads as its name says', async (t) => {
  const world = await newWorld(t)
  const answers = {}
  for (const kind of everyKind) {
    const reader = world.open(kind, 'alice')
    await world.settled(reader)
    await world.sql(`UPDATE documents SET title = 'Read by ${kind}' WHERE id = '${doc(1)}';`)
    await world.settled(reader)
    answers[kind] = reader.received.answers
  }
  const has = (kind, what) => answers[kind].some(what)
  const isSSE = ({ url, type }) => url.searchParams.has('live_sse') && type.startsWith('text/event-stream')
  const isLongPoll = ({ url }) => url.searchParams.has('live') && !url.searchParams.has('live_sse')
  const isWhole = ({ url }) => url.searchParams.get('offset') === '-1'
  const isPosted = ({ method }) => method === 'POST'

  assert.ok(has('Shape, long-poll', isLongPoll))
  assert.ok(has('Shape, server-sent events', isSSE))
  assert.ok(!has('Shape, server-sent events', isLongPoll))
  assert.ok(has('TanStack DB, eager', isWhole))
  assert.ok(has('TanStack DB, on-demand', isPosted))
  assert.ok(!has('TanStack DB, on-demand', isWhole))
  assert.ok(has('TanStack DB, progressive', isPosted))
  assert.ok(has('TanStack DB, progressive', isWhole))
})
