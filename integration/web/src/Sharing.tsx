import { useEffect, useState } from 'react'
import type { Access, Change, Grant, Person } from './api'
import { Switch } from './Switch'
import { act, useTimeline } from './timeline'
import { nameOf, told, written } from './workspace'
import type { Document, Workspace } from './workspace'

interface Props {
  workspace: Workspace
  people: Person[]
  groups: string[]
  row: Document
  onProblem: (text: string | undefined) => void
}

/** With whom a document is shared, to read or to edit, and who is banned from it. */
export function Sharing({ workspace, people, groups, row, onProblem }: Props) {
  const [access, setAccess] = useState<Access>()
  const lastWrite = useTimeline().find((event) => event.kind === 'written')?.id
  useEffect(() => {
    let stale = false
    workspace.api.access(row.id).then(
      (now) => stale || setAccess(now),
      (error) => stale || onProblem(told(error)),
    )
    return () => {
      stale = true
    }
  }, [workspace, row.id, row.project_id, lastWrite, onProblem])

  const relate = async (what: string, write: () => Promise<Change>) => {
    onProblem(undefined)
    act(workspace.me.person, what)
    try {
      written(workspace.me.person, await write())
    } catch (error) {
      onProblem(told(error))
    }
  }
  const { api } = workspace
  const grant = (who: string) => access?.viewers.find((g) => g.who === who)
  const edits = (who: string) => access?.editors.some((g) => g.who === who) ?? false
  const line = (who: string, name: string, about: string, bannable?: string) => (
    <tr key={who}>
      <th scope="row">{name} <small>{grant(who) ? condition(grant(who)!) : about}</small></th>
      <td>
        <Switch label={`Share “${row.title}” with ${name}`} on={grant(who) !== undefined}
          onChange={(on) => relate(`${on ? 'shares' : 'takes back'} “${row.title}” ${on ? 'with' : 'from'} ${name}`, () => api.share(row.id, 'viewers', who, on))} />
      </td>
      <td>
        <Switch label={`Let ${name} edit “${row.title}”`} on={edits(who)}
          onChange={(on) => relate(`${on ? 'lets' : 'no longer lets'} ${name} edit “${row.title}”`, () => api.share(row.id, 'editors', who, on))} />
      </td>
      <td>
        {bannable && (
          <Switch label={`Ban ${name} from “${row.title}”`} danger on={access?.banned.some((g) => g.who === who) ?? false}
            onChange={(on) => relate(`${on ? 'bans' : 'lifts the ban of'} ${name} ${on ? 'from' : 'on'} “${row.title}”`, () => api.ban(row.id, bannable, on))} />
        )}
      </td>
    </tr>
  )
  return (
    <table className="sharing">
      <caption>Shared with, beside the people of its project</caption>
      <thead><tr><th scope="col">Who</th><th scope="col">To read</th><th scope="col">To edit</th><th scope="col">Banned</th></tr></thead>
      <tbody>
        {people.map((p) => line(`user:${p.id}`, nameOf(p.id), '', p.id))}
        {groups.map((g) => line(`group:${g}`, nameOf(g), 'group'))}
      </tbody>
    </table>
  )
}

/** A caveat of the demo asks for a clearance. */
const condition = ({ caveat, needs }: Grant): string =>
  caveat ? `if ${caveat}, ${Object.entries(needs ?? {}).map(([k, v]) => `${k} ${String(v)}`).join(', ')}` : ''
