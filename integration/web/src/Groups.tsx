import type { Me, Person } from './api'
import { Switch } from './Switch'
import { act } from './timeline'
import { nameOf, told, written } from './workspace'
import type { Workspace } from './workspace'

interface Props {
  workspace: Workspace
  people: Person[]
  me: Me
  onProblem: (text: string | undefined) => void
}

/** Who is in which group. Atlas is seen by engineering; the workspace may be used by everybody. */
export function Groups({ workspace, people, me, onProblem }: Props) {
  const join = async (group: string, person: string, on: boolean) => {
    onProblem(undefined)
    act(workspace.me.person, `${on ? 'adds' : 'removes'} ${nameOf(person)} ${on ? 'to' : 'from'} ${group}`)
    try {
      written(workspace.me.person, await workspace.api.join(group, person, on))
    } catch (error) {
      onProblem(told(error))
    }
  }
  const groups = Object.keys(me.groups).sort()
  return (
    <details className="groups">
      <summary>Groups</summary>
      <table className="sharing">
        <caption>Atlas is seen by engineering. Everybody may use the workspace, engineering included.</caption>
        <thead><tr><th scope="col">Who</th>{groups.map((g) => <th scope="col" key={g}>{nameOf(g)}</th>)}</tr></thead>
        <tbody>
          {people.map((p) => (
            <tr key={p.id}>
              <th scope="row">{nameOf(p.id)}</th>
              {groups.map((g) => (
                <td key={g}><Switch label={`${nameOf(p.id)} in ${g}`} on={me.groups[g]!.includes(p.id)} onChange={(on) => join(g, p.id, on)} /></td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}
