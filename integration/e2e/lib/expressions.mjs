// Random conditions over the table tasks, and how Drizzle and Kysely say them.

import * as d from 'drizzle-orm'
import { bigint, boolean, date, doublePrecision, integer, numeric, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'

/** The table, as Drizzle knows it. */
export const tasks = pgTable('tasks', {
  id: integer().primaryKey(),
  document_id: uuid().notNull(),
  title: text().notNull(),
  note: text(),
  done: boolean(),
  points: integer(),
  big: bigint({ mode: 'bigint' }).notNull(),
  cost: numeric(),
  ratio: doublePrecision(),
  due: date(),
  starts: timestamp(),
  updated_at: timestamp({ withTimezone: true }).notNull(),
  tags: text().array().notNull(),
})

const texts = ['Write the report', 'a_b', 'back\\slash', 'say "hi"', "O'Brien", '', 'PLAN', 'plan b', 'x,y{z}', 'nothing has it']

/** Values to compare each column with, as an application has them. */
const values = {
  document_id: [1, 4, 7, 99].map((n) => `d0c00000-0000-4000-8000-${String(n).padStart(12, '0')}`),
  title: texts,
  note: texts,
  done: [true, false],
  points: [-3, 0, 1, 2, 5, 2147483647],
  big: [0n, 1n, 9007199254740993n, -9223372036854775808n],
  cost: ['0', '1.5', '-2.25', '100', '99999999999999999999.5'],
  ratio: [0, 0.5, -1.25, 1e10],
  due: ['2026-01-01', '2025-12-31', '2026-02-28'],
  starts: [new Date('2026-01-01T08:00:00Z'), new Date('2026-01-01T08:30:00.500Z')],
  updated_at: [new Date('2026-01-02T03:04:05.678Z'), new Date('2026-02-01T10:00:00Z')],
}
const patterns = ['%', 'plan%', '%e%', 'a\\_b', '%\\%%', '_a%', '%"%', '']
const columns = Object.keys(values)
const ordered = columns.filter((column) => column !== 'done')

/** A random number generator that begins with a seed: mulberry32. */
export function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** A condition: its kind, and what it is about. */
export function condition(random, depth = 3) {
  const pick = (list) => list[Math.floor(random() * list.length)]
  const some = (list) => list.filter(() => random() < 0.4)
  const inner = () => condition(random, depth - 1)
  const column = pick(columns)
  switch (pick(['compare', 'compare', 'in', 'any', 'between', 'null', 'like', 'tags', 'and', 'or', 'not'].slice(0, depth > 0 ? undefined : 8))) {
    case 'compare': {
      const operator = pick(['=', '<>', '<', '<=', '>', '>='])
      const of = ['=', '<>'].includes(operator) ? column : pick(ordered)
      return { kind: 'compare', column: of, operator, value: pick(values[of]) }
    }
    case 'in': return { kind: 'in', column, values: [pick(values[column]), ...some(values[column])], not: random() < 0.3 }
    case 'any': return { kind: 'any', column, values: some(values[column]) }
    case 'between': {
      const of = pick(ordered)
      return { kind: 'between', column: of, from: pick(values[of]), to: pick(values[of]) }
    }
    case 'null': return { kind: 'null', column, not: random() < 0.5 }
    case 'like': return { kind: 'like', column: pick(['title', 'note']), operator: pick(['like', 'not like', 'ilike', 'not ilike']), pattern: pick(patterns) }
    case 'tags': return { kind: 'tags', operator: pick(['@>', '<@', '&&']), values: some(['plan', 'money', 'a b', 'x"y\\']) }
    case 'and': return { kind: 'and', arms: [inner(), inner(), inner()].slice(0, pick([2, 3])) }
    case 'or': return { kind: 'or', arms: [inner(), inner(), inner()].slice(0, pick([2, 3])) }
  }
  return { kind: 'not', arm: inner() }
}

const drizzleOperators = {
  '=': d.eq, '<>': d.ne, '<': d.lt, '<=': d.lte, '>': d.gt, '>=': d.gte,
  'like': d.like, 'not like': d.notLike, 'ilike': d.ilike, 'not ilike': d.notIlike,
  '@>': d.arrayContains, '<@': d.arrayContained, '&&': d.arrayOverlaps,
}

/** The condition in Drizzle's words. */
export function inDrizzle(c) {
  const column = tasks[c.column]
  switch (c.kind) {
    case 'compare': return drizzleOperators[c.operator](column, c.value)
    case 'in': return (c.not ? d.notInArray : d.inArray)(column, c.values)
    case 'any': return d.sql`${column} = any(${d.sql.param(c.values)})`
    case 'between': return d.between(column, c.from, c.to)
    case 'null': return (c.not ? d.isNotNull : d.isNull)(column)
    case 'like': return drizzleOperators[c.operator](column, c.pattern)
    case 'tags': return c.values.length === 0 ? d.eq(tasks.tags, []) : drizzleOperators[c.operator](tasks.tags, c.values)
    case 'and': return d.and(...c.arms.map(inDrizzle))
    case 'or': return d.or(...c.arms.map(inDrizzle))
    case 'not': return d.not(d.sql`(${inDrizzle(c.arm)})`)
  }
}

/** The condition in Kysely's words: with the table's name before each second column. */
export function inKysely(eb, c, random) {
  const column = c.column && (random() < 0.5 ? c.column : `tasks.${c.column}`)
  const all = () => c.arms.map((arm) => inKysely(eb, arm, random))
  switch (c.kind) {
    case 'compare': return eb(column, c.operator, c.value)
    case 'in': return eb(column, c.not ? 'not in' : 'in', c.values)
    case 'any': return eb(column, '=', eb.fn.any(eb.val(c.values)))
    case 'between': return eb.between(column, c.from, c.to)
    case 'null': return eb(column, c.not ? 'is not' : 'is', null)
    case 'like': return eb(column, c.operator, c.pattern)
    case 'tags': return eb('tags', c.operator, eb.val(c.values))
    case 'and': return eb.and(all())
    case 'or': return eb.or(all())
    case 'not': return eb.not(eb.parens(inKysely(eb, c.arm, random)))
  }
}
