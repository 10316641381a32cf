// Queries that Drizzle and Kysely compile, sent as subsets: each is answered with exactly the
// rows that Postgres returns for the same query over the rows that the person may see.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ShapeStream } from '@electric-sql/client'
import * as d from 'drizzle-orm'
import { QueryBuilder } from 'drizzle-orm/pg-core'
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely'
import { compile } from './lib/compile.mjs'
import { condition, inDrizzle, inKysely, randomFrom, tasks } from './lib/expressions.mjs'
import { newWorld, tokens } from './lib/world.mjs'

const here = import.meta.dirname
const read = (name) => readFile(join(here, name), 'utf8')
const page = await read('../../proxy/subset/README.md')
const files = Object.fromEntries(await Promise.all(['subsetof.ts', 'drizzle.ts', 'kysely.ts'].map(async (name) => [name, await read(name)])))

/** The snippets, compiled once for all tests. */
let compiled
const snippets = (t) => (compiled ??= load(t))
async function load(t) {
  const folder = await compile(t, files, '--skipLibCheck') // Drizzle's types name databases that are not installed
  const [{ subsetOf }, drizzle, kysely] = await Promise.all(['subsetof', 'drizzle', 'kysely'].map((name) => import(`${folder}/${name}.js`)))
  return { subsetOf, drizzle, kysely }
}

const db = new Kysely({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})
const fromTasks = () => db.selectFrom('tasks').selectAll()
const drizzleTasks = () => new QueryBuilder().select().from(tasks)

/** Asks as a client does. While the rate is used up, it asks again. */
async function post(world, person, shape, body) {
  for (;;) {
    const response = await fetch(world.shapeURL(shape), {
      method: 'POST',
      headers: { 'Authorization': `Bearer ${tokens[person]}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = await response.json()
    if (response.status !== 429) return { status: response.status, answer }
  }
}

/** Holds queries against Postgres. Returns how many rows there were in all. */
async function agrees(t, world, person, shape, queries) {
  const { subsetOf } = await snippets(t)
  const bodies = queries.map(subsetOf)
  const want = await world.inPostgres(shape, person, queries.map((query, i) => ({ sql: query.sql, values: Object.values(bodies[i].params) })))
  let rows = 0
  for (const [i, body] of bodies.entries()) {
    const { status, answer } = await post(world, person, shape, body)
    assert.equal(status, 200, `${queries[i].sql}: ${JSON.stringify(answer)}`)
    let got = answer.data.map(({ value }) => value.id)
    if (!body.order_by) [got, want[i]] = [got.sort(), want[i].sort()]
    assert.deepEqual(got, want[i], `${person}: ${queries[i].sql} ${JSON.stringify(body.params)}`)
    rows += got.length
  }
  return rows
}

const day = new Date('2026-02-01T10:00:00Z')

const drizzleQueries = {
  'equality': (q) => q.where(d.eq(tasks.title, "O'Brien")),
  'inequality': (q) => q.where(d.ne(tasks.title, 'say "hi"')),
  'comparisons': (q) => q.where(d.and(d.gt(tasks.points, 0), d.lte(tasks.points, 5), d.gte(tasks.title, 'a'), d.lt(tasks.title, 'w'))),
  'and, or, not': (q) => q.where(d.or(d.and(d.eq(tasks.done, true), d.not(d.eq(tasks.points, 2))), d.not(d.or(d.gt(tasks.points, 1), d.eq(tasks.title, 'PLAN'))))),
  'IN': (q) => q.where(d.inArray(tasks.points, [0, 2, 77])),
  'NOT IN': (q) => q.where(d.notInArray(tasks.title, ['PLAN', 'a_b'])),
  'IN of nothing': (q) => q.where(d.inArray(tasks.points, [])),
  'NOT IN of nothing': (q) => q.where(d.notInArray(tasks.points, [])),
  '= ANY': (q) => q.where(d.sql`${tasks.title} = any(${d.sql.param(['x,y{z}', 'back\\slash', 'say "hi"', ''])})`),
  'null': (q) => q.where(d.and(d.isNull(tasks.note), d.isNotNull(tasks.due))),
  'LIKE': (q) => q.where(d.like(tasks.title, 'a\\_b')),
  'NOT ILIKE': (q) => q.where(d.notIlike(tasks.title, '%PLAN%')),
  'BETWEEN': (q) => q.where(d.between(tasks.points, 1, 5)),
  'NOT BETWEEN dates': (q) => q.where(d.notBetween(tasks.updated_at, new Date('2026-01-15'), day)),
  'a bool alone': (q) => q.where(tasks.done),
  'a numeric': (q) => q.where(d.gt(tasks.cost, '1.25')),
  'a float': (q) => q.where(d.lt(tasks.ratio, 0.75)),
  'a bigint': (q) => q.where(d.eq(tasks.big, 9007199254740993n)),
  'a timestamp': (q) => q.where(d.eq(tasks.starts, new Date('2026-01-01T08:30:00.5Z'))),
  'a date': (q) => q.where(d.lte(tasks.due, '2026-01-01')),
  'a time with an offset': (q) => q.where(d.sql`${tasks.updated_at} >= ${'2026-02-01 10:00:00Z'}`),
  'a uuid': (q) => q.where(d.eq(tasks.document_id, 'D0C00000-0000-4000-8000-000000000007')),
  'arrays': (q) => q.where(d.or(d.arrayContains(tasks.tags, ['a b']), d.arrayOverlaps(tasks.tags, ['money']))),
  'a cast': (q) => q.where(d.sql`${tasks.points}::text like ${'2%'}`),
  'a function': (q) => q.where(d.sql`lower(${tasks.title}) = ${'plan'}`),
  'a sum': (q) => q.where(d.sql`${tasks.points} + ${1} > ${2}`),
  'nested parentheses': (q) => q.where(d.sql`((${d.or(d.eq(tasks.done, true), d.sql`(((${tasks.points}) > ${3}))`)}))`),
  'words of SQL in a value': (q) => q.where(d.eq(tasks.title, `' where "x" order by 1 limit 2 --`)),
  'words of SQL in the text': (q) => q.where(d.sql`${tasks.title} <> ' where (" order by '`),
  'no where': (q) => q,
  'order, limit, offset': (q) => q.where(d.gte(tasks.points, 0)).orderBy(d.desc(tasks.points), d.asc(tasks.id)).limit(5).offset(2),
  'nulls last': (q) => q.orderBy(d.sql`${tasks.due} desc nulls last`, tasks.id).limit(9),
  'an order alone': (q) => q.orderBy(tasks.title, tasks.id),
}

const kyselyQueries = {
  'equality': (q) => q.where('title', '=', "O'Brien"),
  'a qualified column': (q) => q.where('tasks.title', '!=', 'PLAN').where('tasks.points', '>', 1),
  'the schema, too': (q, db) => db.withSchema('public').selectFrom('tasks').selectAll().where('tasks.points', '=', 2).orderBy('tasks.id'),
  'comparisons': (q) => q.where('points', '>', 0).where('points', '<=', 5).where('title', '>=', 'a').where('title', '<', 'w'),
  'and, or, not': (q) => q.where((is) => is.or([is.and([is('done', '=', true), is.not(is('points', '=', 2))]), is.not(is.or([is('points', '>', 1), is('title', '=', 'PLAN')]))])),
  'IN': (q) => q.where('points', 'in', [0, 2, 77]),
  'NOT IN': (q) => q.where('title', 'not in', ['PLAN', 'a_b']),
  '= ANY': (q) => q.where((is) => is('title', '=', is.fn.any(is.val(['x,y{z}', 'back\\slash', 'say "hi"', ''])))),
  'null': (q) => q.where('note', 'is', null).where('due', 'is not', null),
  'is distinct from': (q) => q.where('points', 'is distinct from', 2),
  'is true': (q) => q.where('done', 'is not', true),
  'LIKE': (q) => q.where('title', 'like', 'a\\_b'),
  'NOT ILIKE': (q) => q.where('title', 'not ilike', '%PLAN%'),
  'BETWEEN': (q) => q.where((is) => is.between('points', 1, 5)),
  'BETWEEN SYMMETRIC': (q) => q.where((is) => is.betweenSymmetric('points', 5, 1)),
  'numbers': (q) => q.where('cost', '>', 1.25).where('ratio', '<', 0.75),
  'a bigint': (q) => q.where('big', '=', 9007199254740993n),
  'a Date': (q) => q.where('updated_at', '<=', day).where('starts', '>', new Date('2026-01-01T08:00:00Z')),
  'arrays': (q) => q.where((is) => is.or([is('tags', '@>', is.val(['a b'])), is('tags', '&&', is.val(['money']))])),
  'a cast': (q) => q.where((is) => is(is.cast('points', 'text'), 'like', '2%')),
  'a function': (q) => q.where((is) => is(is.fn('lower', ['title']), '=', 'plan')),
  'coalesce': (q) => q.where((is) => is(is.fn.coalesce('note', 'title'), '=', 'PLAN')),
  'a sum': (q) => q.where((is) => is(is('points', '+', 1), '>', 2)),
  'parentheses': (q) => q.where((is) => is.parens(is.parens('points', '=', 1).or('done', '=', true)).and('title', '<>', 'a_b')),
  'columns with each other': (q) => q.where((is) => is('tasks.title', '=', is.ref('tasks.note'))),
  'true': (q) => q.where((is) => is.lit(true)),
  'no where': (q) => q,
  'order, limit, offset': (q) => q.where('points', '>=', 0).orderBy('points', 'desc').orderBy('tasks.id').limit(5).offset(2),
  'nulls last': (q) => q.orderBy('due', (by) => by.desc().nullsLast()).orderBy('id').limit(9),
}

for (const [library, queries] of [
  ['Drizzle', Object.entries(drizzleQueries).map(([name, query]) => [name, query(drizzleTasks()).toSQL()])],
  ['Kysely', Object.entries(kyselyQueries).map(([name, query]) => [name, query(fromTasks(), db).compile()])],
]) {
  test(`${library}: ${queries.length} queries have Postgres' rows`, async (t) => {
    const world = await newWorld(t)
    for (const person of ['alice', 'bob']) {
      for (const [name, query] of queries) {
        const rows = await agrees(t, world, person, 'tasks', [query])
        if (person === 'alice' && !/of nothing|words of SQL in a value/.test(name)) assert.ok(rows > 0, `${name}: alice has no such row`)
      }
    }
  })
}

test('200 random conditions have Postgres\' rows', async (t) => {
  const world = await newWorld(t)
  const seed = Number(process.env.SHAPEGATE_E2E_SEED ?? 1)
  const random = randomFrom(seed)
  for (const person of ['alice', 'bob']) {
    const queries = Array.from({ length: 50 }, () => condition(random)).flatMap((c) => [
      drizzleTasks().where(inDrizzle(c)).toSQL(),
      fromTasks().where((eb) => inKysely(eb, c, random)).compile(),
    ])
    assert.ok(await agrees(t, world, person, 'tasks', queries) > 100, `seed ${seed}: nearly no rows`)
  }
})

/** What has no meaning for the rows of one table, or could fail on them, and what is said of it. */
const refused = {
  'a subquery': [drizzleTasks().where(d.exists(drizzleTasks())), 'where', /a subquery is not allowed/],
  'IN a subquery': [fromTasks().where((is) => is('id', 'in', is.selectFrom('salaries').select('id'))), 'where', /a subquery is not allowed/],
  'another table': [drizzleTasks().where(d.sql`"documents"."title" = ${'a'}`), 'where', /own table/],
  'an alias': [fromTasks().where('t.title', '=', 'a'), 'where', /own table/],
  'a column that the shape has not': [fromTasks().where('secret', '=', 'a'), 'where', /unknown column "secret"/],
  'a function': [fromTasks().where((is) => is(is.fn('random', []), '<', 1)), 'where', /the function "random" is not allowed/],
  'a regular expression': [fromTasks().where('title', '~', '(a+)+$'), 'where', /the operator "~" is not allowed/],
  'a division': [fromTasks().where((is) => is(is('points', '/', 0), '=', 1)), 'where', /\+ and - are only allowed|the operator "\/" is not allowed/],
  'a cast that can fail': [drizzleTasks().where(d.sql`${tasks.title}::int = 1`), 'where', /can be cast/],
  'CASE': [fromTasks().where((is) => is(is.case().when('done', '=', true).then(1).else(2).end(), '=', 1)), 'where', /CASE is not allowed/],
  'a tuple': [fromTasks().where((is) => is(is.refTuple('title', 'note'), '=', is.tuple('a', 'b'))), 'where', /a row is not allowed/],
  'an empty list of Kysely': [fromTasks().where('points', 'in', []), 'where', /is not one SQL expression/],
  'a group': [fromTasks().where('points', '=', 1).groupBy('id'), 'where', /is not one SQL expression/],
  'a lock': [fromTasks().where('points', '=', 1).forUpdate(), 'where', /is not one SQL expression/],
  'an order by an expression': [drizzleTasks().orderBy(d.sql`lower(${tasks.title})`), 'order_by', /is not a list of columns/],
  'an order by another table': [drizzleTasks().orderBy(d.sql`"documents"."title"`), 'order_by', /is not a list of columns/],
  'a limit without an order': [drizzleTasks().limit(1), 'order_by', /is required where limit or offset is given/],
  'a Date for a date': [fromTasks().where('due', '=', new Date('2026-01-01')), 'params.1', /is not a value of type date/],
  'a time without an offset': [fromTasks().where('updated_at', '=', '2026-01-31 10:00:00'), 'params.1', /is not a value of type timestamptz/],
  'a value of another type': [fromTasks().where('due', '=', 'tomorrow'), 'params.1', /is not a value of type date/],
}

test('what is not about the rows of the table is refused, by its name', async (t) => {
  const world = await newWorld(t)
  const { subsetOf } = await snippets(t)
  for (const [name, [query, field, message]] of Object.entries(refused)) {
    const { status, answer } = await post(world, 'alice', 'tasks', subsetOf(query.toSQL?.() ?? query.compile()))
    assert.equal(status, 400, `${name}: ${JSON.stringify(answer)}`)
    assert.equal(answer.error, 'bad_request')
    assert.equal(answer.field, field, `${name}: ${answer.message}`)
    assert.match(answer.message, message, name)
  }
})

test('subsetOf refuses what would be lost', async (t) => {
  const { subsetOf } = await snippets(t)
  const join = fromTasks().innerJoin('salaries', 'salaries.id', 'tasks.id').where('points', '=', 1)
  const alias = db.selectFrom('tasks as t').selectAll().where('t.points', '=', 1)
  for (const query of [join, alias]) assert.throws(() => subsetOf(query.compile()), /not a query of one table/)
  assert.throws(() => subsetOf(drizzleTasks().where(d.eq(tasks.title, null)).toSQL()), /NULL is equal to nothing/)
})

test('the snippets of the page are these, and have the rows that they ask for', async (t) => {
  for (const [name, text] of Object.entries(files)) assert.ok(page.includes('```ts\n' + text + '```\n'), `the page has something else than ${name}`)
  const { drizzle, kysely } = await snippets(t)
  assert.deepEqual(drizzle.subset.params, kysely.subset.params)
  const world = await newWorld(t)
  for (const { query, subset } of [drizzle, kysely]) {
    assert.ok(await agrees(t, world, 'alice', 'documents', [query]) > 0)
    // Electric's client takes the same.
    const stream = new ShapeStream({
      url: world.shapeURL('documents'), log: 'changes_only', subsetMethod: 'POST', headers: { Authorization: `Bearer ${tokens.alice}` },
    })
    const { order_by: orderBy, ...rest } = subset
    const { data } = await stream.fetchSnapshot({ ...rest, orderBy })
    const { answer } = await post(world, 'alice', 'documents', subset)
    assert.deepEqual(data.map(({ value }) => value.id), answer.data.map(({ value }) => value.id))
  }
})

for (const [library, wrong, says] of [
  ['drizzle', ["documents.title, '%plan%'", "documents.titel, '%plan%'"], /titel/],
  ['kysely', ["'title', 'ilike'", "'titel', 'ilike'"], /titel/],
]) {
  test(`${library}: a column that there is not is an error of TypeScript's`, async (t) => {
    const name = `${library}.ts`
    const text = files[name].replace(...wrong)
    assert.notEqual(text, files[name])
    await assert.rejects(compile(t, { 'subsetof.ts': files['subsetof.ts'], [name]: text }, '--skipLibCheck'), says)
  })
}
