interface Props {
  label: string
  on: boolean
  danger?: boolean
  onChange: (on: boolean) => Promise<void>
}

/** On or off, as the server says: it changes when the write is done. */
export const Switch = ({ label, on, danger, onChange }: Props) => (
  <input
    type="checkbox"
    role="switch"
    className={danger ? 'switch danger' : 'switch'}
    aria-label={label}
    checked={on}
    onChange={(event) => void onChange(event.target.checked)}
  />
)
