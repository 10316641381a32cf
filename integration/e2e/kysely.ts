import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { subsetOf } from './subsetof.js'

interface Database {
  documents: { id: string; project_id: string; title: string; body: string | null; tags: string[]; updated_at: Date }
}

// It compiles queries, and connects to nothing.
const db = new Kysely<Database>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})

export const query = db
  .selectFrom('documents')
  .selectAll()
  .where((is) => is.or([is('title', 'ilike', '%plan%'), is('documents.body', 'is', null)]))
  .where('updated_at', '>=', new Date('2026-02-01'))
  .orderBy('documents.updated_at', 'desc')
  .limit(10)
  .compile()

export const subset = subsetOf(query)
