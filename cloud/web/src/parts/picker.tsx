interface Props {
  label: string;
  value: string;
  /** Value and name of each. */
  options: readonly (readonly [string, string])[];
  onPick(value: string): void;
  testid?: string;
}

/** One of a few, picked from a list. */
export function Picker({ label, value, options, onPick, testid }: Props) {
  return (
    <label class="picker">
      <span class="label">{label}</span>
      <select
        value={value}
        data-testid={testid}
        onChange={(event) => onPick(event.currentTarget.value)}
      >
        {options.map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
