interface Props<T extends string> {
  label: string;
  /** What may be chosen, with its name. */
  options: readonly (readonly [T, string])[];
  chosen: T;
  onChoose(value: T): void;
  id: string;
}

/** A few choices of which one holds. */
export function Switch<T extends string>({ label, options, chosen, onChoose, id }: Props<T>) {
  return (
    <fieldset class="keys" aria-label={label} data-testid={id}>
      {options.map(([value, name]) => (
        <button
          type="button"
          key={value}
          aria-pressed={value === chosen}
          data-testid={`${id}-${value}`}
          onClick={() => onChoose(value)}
        >
          {name}
        </button>
      ))}
    </fieldset>
  );
}
