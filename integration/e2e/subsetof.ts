/** A query as Drizzle's toSQL() or Kysely's compile() returns it. */
type Compiled = { sql: string } & ({ params: unknown[] } | { parameters: readonly unknown[] })

/** The subset that a query asks for: what a client sends to a shape with POST. */
export function subsetOf(query: Compiled) {
  const values = ('params' in query ? query.params : query.parameters).map(textOf)
  const clauses = clausesOf(query.sql)
  const count = (clause?: string) => clause && Number(values[Number(clause.slice(1)) - 1]) // of $3
  return {
    where: clauses['where'],
    params: Object.fromEntries(values.map((value, i) => [i + 1, value])),
    order_by: clauses['order by'],
    limit: count(clauses['limit']),
    offset: count(clauses['offset']),
  }
}

/** The clauses of a SELECT from one table. What stands in quotes or in parentheses belongs to its clause. */
function clausesOf(sql: string) {
  const clauses: Record<string, string> = {}
  let [clause, start, depth] = ['select', 0, 0]
  for (const { 0: found, 1: next, index } of sql.matchAll(/"[^"]*"|'[^']*'|[()]| (where|order by|limit|offset) |$/g)) {
    if (found === '(') depth++
    if (found === ')') depth--
    if (found !== '' && !(next && depth === 0)) continue
    clauses[clause] = sql.slice(start, index)
    ;[clause, start] = [next ?? '', index + found.length]
  }
  if (!/^select .* from ("[^"]*"\.)?"[^"]*"$/.test(clauses['select'] ?? '')) throw new Error(`not a query of one table: ${sql}`)
  return clauses
}

/** A value as Postgres reads it. */
function textOf(value: unknown): string {
  if (value == null) throw new Error('NULL is equal to nothing: write isNull(column), or where(column, "is", null)')
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return `{${value.map((item) => (item === null ? 'NULL' : `"${textOf(item).replace(/["\\]/g, '\\$&')}"`)).join()}}`
  return String(value)
}
