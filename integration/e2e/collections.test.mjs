// Collections of grants: what a person may do, as rows. A change of a permission changes a
// row, as a write to a table would, and no reader ever begins anew.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq } from '@tanstack/db'
import { forEach } from './lib/each.mjs'
import { everyKind, neverBeganAnew } from './lib/readers.mjs'
import { doc, inProject, newWorld } from './lib/world.mjs'

const editor = (n, person) => `document:${doc(n)}#editor@user:${person}`

/** The rows of a reader of document_actions, as "4 edit share". */
const actions = (reader) => reader.rows()
  .map(({ id, edit, share }) => [Number(id.slice(-12)), edit && 'edit', share && 'share'].filter(Boolean).join(' ')).sort()

/** What happens to bob, and the rows that he has then. */
const steps = [
  ['a permission is given', { touch: [editor(1, 'bob')] }, ['1 edit', '4 edit', '6 edit']],
  ['one more', { touch: ['project:borealis#lead@user:bob'] }, ['1 edit', '4 edit share', '5 share', '6 edit share']],
  ['one is taken', { delete: ['project:borealis#lead@user:bob'] }, ['1 edit', '4 edit', '6 edit']],
  ['the last one is taken', { delete: [editor(1, 'bob')] }, ['4 edit', '6 edit']],
  ['one that was held already', { touch: [editor(4, 'bob')] }, ['4 edit', '6 edit']],
  ['a group', { touch: ['group:engineering#member@user:bob'] }, ['1 edit', '2 edit', '3 edit', '4 edit', '6 edit']],
  ['a document that no table has', { touch: [inProject(12, 'borealis')] }, ['1 edit', '12 edit', '2 edit', '3 edit', '4 edit', '6 edit']],
  ['a ban', { touch: [`document:${doc(6)}#banned@user:bob`] }, ['1 edit', '12 edit', '2 edit', '3 edit', '4 edit']],
  ['the group is left', { delete: ['group:engineering#member@user:bob'], touch: ['workspace:main#member@user:bob'] }, ['12 edit', '4 edit']],
]

/** Goes through all of it. between is called before each step. */
async function live(world, bob, between = () => {}) {
  await world.settled()
  assert.deepEqual(actions(bob), ['4 edit', '6 edit'])
  for (const [step, change, want] of steps) {
    await between()
    await world.change(change)
    try {
      await world.settled()
    } catch (error) {
      error.message = `after "${step}": ${error.message}`
      throw error
    }
    assert.deepEqual(actions(bob), want, step)
  }
}

forEach(everyKind, (kind) => {
  test('a change of a permission is a change of a row', async (t) => {
    const world = await newWorld(t)
    const bob = world.openGrants(kind, 'bob')
    const alice = world.openGrants(kind, 'alice')
    await live(world, bob)
    neverBeganAnew(alice, bob)
    assert.ok(bob.received.messages.some(({ headers }) => headers.operation === 'update'))
  })

  test('the same at replicas in turns, which are replaced meanwhile', async (t) => {
    const world = await newWorld(t, { replicas: 2 })
    const bob = world.openGrants(kind, 'bob')
    let changes = 0
    await live(world, bob, () => ++changes % 3 === 0 && world.restart())
    neverBeganAnew(bob)
  })

  test('what was revoked while a client was offline is gone when it is back', async (t) => {
    const world = await newWorld(t)
    await world.grant(editor(1, 'bob'))
    const bob = world.openGrants(kind, 'bob')
    await world.settled()
    bob.received.offline()
    await world.change({ delete: [editor(1, 'bob')], touch: [editor(2, 'bob')] })
    assert.deepEqual(actions(bob), ['1 edit', '4 edit', '6 edit'])
    bob.received.online()
    await world.settled()
    assert.deepEqual(actions(bob), ['2 edit', '4 edit', '6 edit'])
    neverBeganAnew(bob)
  })

  test('booleans are booleans, and ids are of the type that is named', async (t) => {
    const world = await newWorld(t)
    await world.grant('document:12#editor@user:alice')
    const numbered = world.openGrants(kind, 'alice', 'numbered_actions')
    const projects = world.openGrants(kind, 'alice', 'project_actions')
    await world.settled()
    assert.deepEqual(numbered.rows().map((row) => ({ ...row })), [{ id: 12, edit: true }])
    assert.deepEqual(projects.rows().find(({ id }) => id === 'atlas'), { id: 'atlas', view: true, view_all: false })
    await world.grant('document:7#editor@user:alice', 'document:lobby#editor@user:alice')
    await world.settled()
    assert.deepEqual(numbered.ids(), [12, 7])
    neverBeganAnew(numbered, projects)
  })

  test('without the gate there is a 403 through onError, at once and later', async (t) => {
    const world = await newWorld(t)
    const mallory = world.openGrants(kind, 'mallory')
    assert.equal((await mallory.failure()).status, 403)
    assert.deepEqual(mallory.rows(), [])
    const bob = world.openGrants(kind, 'bob')
    await world.settled(bob)
    await world.change({ delete: ['group:everybody#member@user:bob'], touch: [editor(1, 'bob')] })
    assert.equal((await bob.failure()).status, 403)
    assert.ok(!bob.received.saw(doc(1)))
  })
})

forEach(['Shape, long-poll', 'Shape, server-sent events'], (kind) => {
  test('a client that comes back with handle and offset is told what it lost', async (t) => {
    const world = await newWorld(t)
    await world.grant(editor(1, 'bob'))
    const before = world.openGrants(kind, 'bob')
    await world.settled()
    const { shapeHandle: handle, lastOffset: offset } = before.stream
    await before.close()
    await world.change({ delete: [editor(1, 'bob')], touch: ['project:borealis#lead@user:bob', inProject(9, 'borealis')] })
    await world.restart()
    const after = world.openGrants(kind, 'bob', 'document_actions', { handle, offset })
    await after.when(() => after.isReady(), 'up-to-date')
    assert.deepEqual(after.received.messages.map(({ key, headers }) => `${headers.operation} ${Number(key.slice(-13, -1))}`).sort(),
      ['delete 1', 'insert 5', 'insert 9', 'update 4', 'update 6'])
    neverBeganAnew(after)
  })
})

// What an app is for: each document with what may be done with it.
forEach(['TanStack DB, eager', 'TanStack DB, progressive', 'TanStack DB, on-demand'], (kind) => {
  test('rows of a table are joined with what may be done with them', async (t) => {
    const world = await newWorld(t)
    // Its own live query asks for nothing that the join needs.
    const may = world.openGrants(kind, 'alice', 'document_actions', { query: (q) => q.where(({ row }) => eq(row.id, doc(99))) })
    const documents = world.open(kind, 'alice', 'documents', {
      query: (q) => q.leftJoin({ may: may.collection }, ({ row, may }) => eq(row.id, may.id))
        .select(({ row, may }) => ({ id: row.id, title: row.title, edit: may?.edit, share: may?.share })),
    })
    const joined = async () => {
      const held = await world.truth(may)
      return (await world.truth(documents)).map(({ id, title }) => {
        const { edit, share } = held.find((row) => row.id === id) ?? {}
        return { id, title, edit, share }
      })
    }
    await documents.until(await joined())
    for (const change of [
      { touch: [editor(4, 'alice')] },
      { touch: ['project:borealis#lead@user:alice'] },
      { delete: ['project:comet#lead@user:alice'], sql: `UPDATE documents SET title = 'New' WHERE id = '${doc(4)}';` },
      { delete: [editor(4, 'alice'), 'project:borealis#lead@user:alice'] },
    ]) {
      await world.change(change)
      await documents.until(await joined())
    }
    neverBeganAnew(may, documents)
    const whole = may.received.answers.some(({ url }) => url.searchParams.get('offset') === '-1')
    assert.equal(whole, !kind.endsWith('on-demand'), 'an on-demand collection asks for what is joined alone')
  })
})
