// Parts that go away while readers watch, and come back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { eventually } from './lib/wait.mjs'
import { doc, insertDoc, newWorld } from './lib/world.mjs'

const retitle = (n, title) => `UPDATE documents SET title = '${title}' WHERE id = '${doc(n)}';`

forEach(everyKind, (kind) => {
  async function watch(t) {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice')
    await world.settled()
    return { world, alice }
  }

  test('after a crash of the proxy a reader goes on where it was', async (t) => {
    const { world, alice } = await watch(t)
    await world.restart()
    await world.sql(retitle(1, 'After the crash'))
    await world.settled()
    assert.equal(alice.received.count(409), 0)
  })

  test('a proxy that does not know the handle makes a reader begin anew', async (t) => {
    const { world, alice } = await watch(t)
    await world.restart({ newSecret: true })
    await world.sql(retitle(1, 'After the change of secret'))
    await world.settled()
    assert.ok(alice.received.count(409) > 0)
  })

  test('while SpiceDB is away nothing is delivered, and afterwards all of it', async (t) => {
    const { world, alice } = await watch(t)
    await world.pauseSpiceDB()
    await told503(alice)
    await world.sql(insertDoc(9), retitle(1, 'While SpiceDB was away'))
    await told503(alice)
    assert.ok(!alice.received.saw('While SpiceDB was away'))
    await world.resumeSpiceDB()
    await world.settled()
  })

  test('a table that is truncated is empty', async (t) => {
    const { world } = await watch(t)
    await world.sql('TRUNCATE documents;')
    await world.settled()
    await world.sql(insertDoc(1))
    await world.settled()
  })
})

/** Waits until a reader is answered once more that it cannot be served now. */
function told503({ name, received }) {
  const before = received.count(503)
  return eventually((ask) => {
    received.on('end', ask)
    return () => received.off('end', ask)
  }, () => received.answers.filter(({ status, head }) => status === 503 && /^retry-after: \d+$/m.test(head)).length > before,
  () => new Error(`${name}: no 503`))
}
