// Clients that ask for more than they may have. Real ones do, by mistake: what an
// application puts into a client's options is sent as it is.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShapeStream } from '@electric-sql/client'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, inProject, newWorld } from './lib/world.mjs'

forEach(everyKind, (kind) => {
  test('a param that names another table changes nothing', async (t) => {
    const world = await newWorld(t)
    const bob = world.open(kind, 'bob', 'documents', { params: { table: 'salaries' } })
    await world.settled()
    await world.sql(`UPDATE documents SET title = 'Still bob''s' WHERE id IN ('${doc(4)}', '${doc(5)}');`)
    await world.settled()
    assert.ok(!bob.received.saw('amount'))
  })

  for (const params of [{ secret: 'mine' }, { queryable_columns: 'id,revision' }, { wehre: 'true' }]) {
    test(`an unknown param is refused: ${Object.keys(params)}`, async (t) => {
      const world = await newWorld(t)
      const bob = world.open(kind, 'bob', 'documents', { params })
      assert.equal((await bob.failure()).status, 400)
      assert.match(bob.received.answers[0].text, new RegExp(`"field":"${Object.keys(params)}"`))
    })
  }

  test('asking for full replicas gives the old values of permitted rows alone', async (t) => {
    const world = await newWorld(t)
    const bob = world.open(kind, 'bob', 'documents', { params: { replica: 'full' } })
    await world.settled()
    await world.sql(`UPDATE documents SET title = 'New' WHERE id IN ('${doc(4)}', '${doc(5)}');`)
    await world.settled()
    assert.ok(bob.received.messages.some(({ value }) => value.title === 'New'))
  })
})

/** Opens a stream of changes that subsets can be asked of. */
async function openSubsets(t) {
  const world = await newWorld(t)
  const bob = world.open('Shape, long-poll', 'bob', 'documents', { log: 'changes_only' })
  const request = (subset) => bob.stream.requestSnapshot({ params: {}, ...subset })
  return { world, bob, request }
}

forEach(['POST', 'GET'], (method) => {
  test('an honest "a OR b" does not leak', async (t) => {
    const { bob, request } = await openSubsets(t)
    await request({ method, where: `"project_id" = $1 OR "project_id" = $2`, params: { 1: 'atlas', 2: 'borealis' } })
    assert.deepEqual(bob.ids(), [4, 6].map(doc))
  })

  test('a "+" of numbers is understood', async (t) => {
    const world = await newWorld(t)
    const bob = world.open('Shape, long-poll', 'bob', 'salaries', { log: 'changes_only' })
    await bob.stream.requestSnapshot({ method, where: `"amount" + $1 > $2`, params: { 1: '2000', 2: '80000' } })
    assert.deepEqual(bob.rows().map(({ person }) => person), ['bob'])
  })

  for (const [what, where] of Object.entries({
    'a where that closes the parenthesis': 'true) OR (true',
    'two statements': 'true; DELETE FROM documents',
    'a comment': 'true -- and more',
    'a subquery': '"id" IN (SELECT "id" FROM "documents")',
    'a function outside the list': 'pg_sleep(1) IS NULL',
    'a column outside the shape': '"revision" = 1',
    'a param without a value': '"title" = $9',
  })) {
    test(`${what} is refused with a 400`, async (t) => {
      const { bob, request } = await openSubsets(t)
      await assert.rejects(request({ method, where }), { status: 400 })
      assert.deepEqual(bob.received.messages, [])
    })
  }
})

/** Reads one answer with a person's token, as any HTTP client could. */
function read(world, person, query) {
  return new Promise((resolve, reject) => {
    const reader = world.open('Shape, long-poll', person, 'documents', { ...query, subscribe: false })
    reader.stream.subscribe(() => resolve(reader), reject)
  })
}

test("a position in another person's log is worth nothing", async (t) => {
  const world = await newWorld(t)
  const alice = world.open('Shape, long-poll', 'alice')
  await world.settled()
  const thief = world.open('Shape, long-poll', 'bob', 'documents', {
    handle: alice.stream.shapeHandle, offset: alice.stream.lastOffset,
  })
  await world.settled()
  assert.equal(thief.received.answers[0].status, 409)
})

test('a kept position goes on from where it was, while the grants are the same', async (t) => {
  const world = await newWorld(t)
  const before = await read(world, 'alice', {})
  const position = { handle: before.stream.shapeHandle, offset: before.stream.lastOffset }
  await world.sql(`UPDATE documents SET title = 'While away' WHERE id = '${doc(1)}';`)
  const after = await read(world, 'alice', position)
  assert.equal(after.received.count(409), 0)
  assert.deepEqual(after.received.messages.map(({ value }) => value), [{ id: doc(1), title: 'While away' }])
})

test('a kept position does not tell what was written before a later grant', async (t) => {
  const world = await newWorld(t)
  const before = await read(world, 'bob', {})
  const position = { handle: before.stream.shapeHandle, offset: before.stream.lastOffset }
  await world.sql(`UPDATE documents SET title = 'A draft with a secret' WHERE id = '${doc(1)}';`)
  await world.sql(`UPDATE documents SET title = 'Clean' WHERE id = '${doc(1)}';`)
  await world.grant(`document:${doc(1)}#viewer@user:bob`)
  const after = await read(world, 'bob', position)
  assert.deepEqual(after.received.messages.map(({ value }) => value.title), ['Clean'])
  assert.ok(!after.received.saw('A draft with a secret'))
})

test('a new handle does not make an old offset readable', async (t) => {
  const world = await newWorld(t)
  const before = await read(world, 'bob', {})
  await world.sql(`UPDATE documents SET title = 'A draft with a secret' WHERE id = '${doc(1)}';`)
  await world.sql(`UPDATE documents SET title = 'Clean' WHERE id = '${doc(1)}';`)
  await world.grant(`document:${doc(1)}#viewer@user:bob`)
  const now = await read(world, 'bob', {})
  const mixed = await read(world, 'bob', { handle: now.stream.shapeHandle, offset: before.stream.lastOffset })
  assert.ok(!mixed.received.saw('A draft with a secret'))
})

test('no answer may be kept by a shared cache', async (t) => {
  const world = await newWorld(t)
  await world.grant(inProject(9, 'atlas'))
  const alice = world.open('Shape, server-sent events', 'alice')
  const bob = world.open('TanStack DB, on-demand', 'bob')
  await world.settled()
  for (const { head } of [...alice.received.answers, ...bob.received.answers]) {
    assert.match(head, /^cache-control: private, no-store$/m)
    assert.match(head, /^vary: Authorization, Cookie, Origin, Accept-Encoding$/m)
  }
})
