import { and, desc, gte, ilike, isNull, or } from 'drizzle-orm'
import { pgTable, QueryBuilder, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { subsetOf } from './subsetof.js'

const documents = pgTable('documents', {
  id: uuid().primaryKey(),
  project_id: text().notNull(),
  title: text().notNull(),
  body: text(),
  tags: text().array().notNull(),
  updated_at: timestamp({ withTimezone: true }).notNull(),
})

export const query = new QueryBuilder()
  .select()
  .from(documents)
  .where(and(or(ilike(documents.title, '%plan%'), isNull(documents.body)), gte(documents.updated_at, new Date('2026-02-01'))))
  .orderBy(desc(documents.updated_at))
  .limit(10)
  .toSQL()

export const subset = subsetOf(query)
