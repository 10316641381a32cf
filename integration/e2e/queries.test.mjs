// Live queries over on-demand collections: what TanStack DB compiles to SQL, and
// the proxy parses, checks and sends on beside its own filter. The result must be
// the permitted rows that match, neither more nor fewer, by POST and by GET.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  add, and, coalesce, concat, createLiveQueryCollection, eq, gt, gte, ilike, inArray, isNull, length, like, lower, lt,
  lte, not, or, upper,
} from '@tanstack/db'
import { forEach } from './lib/each.mjs'
import { doc, insertDoc, newWorld, salary } from './lib/world.mjs'

const kind = 'TanStack DB, on-demand'

/** Each query, and what it must keep of the permitted rows. */
const queries = {
  'eq': [(row) => eq(row.project_id, 'comet'), (row) => row.project_id === 'comet'],
  'gt': [(row) => gt(row.updated_at, '2026-02-03 10:00:00+00'), (row) => row.updated_at > '2026-02-03 10:00:00+00'],
  'gte and lt': [
    (row) => and(gte(row.title, 'Atlas c'), lt(row.title, 'Comet')),
    (row) => row.title >= 'Atlas c' && row.title < 'Comet',
  ],
  'lte': [(row) => lte(row.title, 'Atlas charter'), (row) => row.title <= 'Atlas charter'],
  'in, with a forbidden id': [
    (row) => inArray(row.id, [doc(1), doc(5), doc(7), doc(99)]), (row) => [doc(1), doc(7)].includes(row.id),
  ],
  'in, with nothing': [(row) => inArray(row.project_id, []), () => false],
  'like': [(row) => like(row.title, 'Atlas%'), (row) => row.title.startsWith('Atlas')],
  'ilike': [(row) => ilike(row.title, '%PL_N'), (row) => row.title.endsWith('plan')],
  'not like': [(row) => not(like(row.title, 'Atlas%')), (row) => !row.title.startsWith('Atlas')],
  'or': [
    (row) => or(eq(row.project_id, 'borealis'), eq(row.title, 'Comet pitch')),
    (row) => row.project_id === 'borealis' || row.title === 'Comet pitch',
  ],
  'or of three': [
    (row) => or(eq(row.project_id, 'atlas'), eq(row.project_id, 'borealis'), eq(row.project_id, 'comet')), () => true,
  ],
  'or within and': [
    (row) => and(or(eq(row.project_id, 'atlas'), eq(row.project_id, 'comet')), like(row.title, '%t')),
    (row) => ['atlas', 'comet'].includes(row.project_id) && row.title.endsWith('t'),
  ],
  'and within or': [
    (row) => or(and(eq(row.project_id, 'atlas'), like(row.title, '%budget')), eq(row.id, doc(5)), eq(row.id, doc(8))),
    (row) => [doc(2), doc(8)].includes(row.id),
  ],
  'isNull': [(row) => isNull(row.body), (row) => row.body === null],
  'not isNull': [(row) => not(isNull(row.body)), (row) => row.body !== null],
  'lower': [(row) => eq(lower(row.title), 'comet pitch'), (row) => row.title === 'Comet pitch'],
  'upper': [(row) => like(upper(row.title), 'COMET%'), (row) => row.title.startsWith('Comet')],
  'concat': [
    (row) => eq(concat(row.project_id, ':', row.title), 'comet:Comet pitch'), (row) => row.title === 'Comet pitch',
  ],
  'coalesce': [(row) => eq(coalesce(row.body, 'none'), 'none'), (row) => row.body === null],
  'a quote in a value': [(row) => eq(row.title, "O'Brien \\ \"x\""), (row) => row.title === "O'Brien \\ \"x\""],
  'a value that looks like SQL': [(row) => eq(row.title, "x' OR 'a' = 'a"), () => false],
}

forEach(['POST', 'GET'], (subsetMethod) => {
  for (const [name, [where, keeps]] of Object.entries(queries)) {
    test(name, async (t) => {
      const world = await newWorld(t)
      // Alice has a document without a body, and nobody has the same in borealis.
      await world.grant(`document:${doc(9)}#viewer@user:alice`, `document:${doc(10)}#viewer@user:alice`)
      await world.sql(
        insertDoc(9), insertDoc(10, { title: `O''Brien \\ "x"` }), insertDoc(11, { project: 'borealis' }))
      for (const person of ['alice', 'bob']) {
        const reader = world.open(kind, person, 'documents', {
          subsetMethod, query: (q) => q.where(({ row }) => where(row)),
        })
        await reader.until((await world.truth(reader)).filter(keeps))
        assert.ok(reader.received.answers.some(({ method, head }) =>
          method === subsetMethod && head.includes('electric-snapshot')))
      }
    })
  }

  /** A world in which alice may see salaries of 60,000, 80,000, 84,000 and 100,000. */
  async function salaries(t) {
    const world = await newWorld(t)
    await world.grant(...[3, 4, 5].map((n) => `salary:${salary(n)}#viewer@user:alice[cleared:{"required":1}]`))
    await world.sql(...[3, 4, 5].map((n) =>
      `INSERT INTO salaries (id, person, amount) VALUES ('${salary(n)}', 'p${n}', ${n * 20_000});`))
    return (query) => {
      const alice = world.open(kind, 'alice', 'salaries', { subsetMethod, query })
      alice.untilAmounts = async (...amounts) =>
        alice.until((await world.truth(alice)).filter(({ amount }) => amounts.includes(amount)))
      return alice
    }
  }

  test('numbers are compared as numbers', async (t) => {
    const open = await salaries(t)
    await open((q) => q.where(({ row }) => gt(row.amount, 9_000))).untilAmounts(60_000, 80_000, 84_000, 100_000)
    await open((q) => q.where(({ row }) => eq(row.amount, 60_000))).untilAmounts(60_000)
    await open((q) => q.where(({ row }) => inArray(row.amount, [60_000, 79_000, 80_000]))).untilAmounts(60_000, 80_000)
  })

  test('an order and a limit: the first of the permitted rows, and no more are sent', async (t) => {
    const open = await salaries(t)
    const alice = open((q) => q.orderBy(({ row }) => row.amount, 'desc').limit(2))
    await alice.untilAmounts(84_000, 100_000)
    assert.deepEqual(alice.rows().map(({ amount }) => amount), [100_000, 84_000])
    assert.ok(!alice.received.saw('80000'))
  })

  test('a sum, which TanStack DB writes as +(a,b), is added up', async (t) => {
    const open = await salaries(t)
    await open((q) => q.where(({ row }) => gt(add(row.amount, 1_000), 84_500))).untilAmounts(84_000, 100_000)
  })

  test('a function that Electric does not know is refused with a 400', async (t) => {
    const open = await salaries(t)
    const alice = open((q) => q.where(({ row }) => gt(length(row.person), 2)))
    await assert.rejects(alice.untilAmounts(84_000), /"bad_request","field":"where"/)
    assert.deepEqual(alice.rows(), [])
  })

  test('a limited query fills up when one of its rows goes', async (t) => {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice', 'documents', {
      subsetMethod, query: (q) => q.orderBy(({ row }) => row.updated_at, 'desc').limit(2),
    })
    const top = async (...numbers) =>
      alice.until((await world.truth(alice)).filter(({ id }) => numbers.map(doc).includes(id)))
    await top(7, 8)
    await world.sql(`DELETE FROM documents WHERE id = '${doc(8)}';`)
    await top(6, 7)
  })

  test('a second query of the same collection loads what the first did not', async (t) => {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice', 'documents', {
      subsetMethod, query: (q) => q.where(({ row }) => eq(row.project_id, 'comet')),
    })
    const truth = await world.truth(alice)
    await alice.until(truth.filter((row) => row.project_id === 'comet'))
    const second = createLiveQueryCollection((q) =>
      q.from({ row: alice.collection }).where(({ row }) => or(eq(row.project_id, 'atlas'), eq(row.id, doc(8)))))
    t.after(() => second.cleanup())
    await second.preload()
    assert.deepEqual(second.toArray.map(({ id }) => id).sort(), [1, 2, 8].map(doc))
  })

  test('a query stays exact through changes, a grant and a revocation', async (t) => {
    const world = await newWorld(t)
    const bob = world.open(kind, 'bob', 'documents', {
      subsetMethod, query: (q) => q.where(({ row }) => like(row.title, '%plan%')),
    })
    const exact = async () =>
      bob.until((await world.truth(bob)).filter(({ title }) => title.includes('plan')))
    await exact()
    await world.sql(`UPDATE documents SET title = 'Two plans' WHERE id = '${doc(4)}';`)
    await exact()
    await world.change({
      sql: `UPDATE documents SET title = 'A plan of atlas' WHERE id = '${doc(1)}';`,
      touch: [`document:${doc(1)}#viewer@user:bob`],
    })
    await exact()
    assert.deepEqual(bob.ids(), [1, 4].map(doc))
    await world.revoke(`document:${doc(1)}#viewer@user:bob`)
    await exact()
    assert.deepEqual(bob.ids(), [doc(4)])
  })
})
