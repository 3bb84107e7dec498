import type { ComponentChildren } from "preact";

export interface Chip {
  key: string;
  name: ComponentChildren;
  /** How many there are of it. */
  count?: number;
}

interface Props {
  legend: string;
  chips: Chip[];
  on: ReadonlySet<string>;
  toggle(key: string): void;
}

/** Filters that are on or off, none of them meaning all. */
export function Chips({ legend, chips, on, toggle }: Props) {
  return (
    <fieldset class="chips">
      <legend class="label">{legend}</legend>
      {chips.map(({ key, name, count }) => (
        <button
          key={key}
          type="button"
          aria-pressed={on.has(key)}
          data-testid={`chip-${key}`}
          onClick={() => toggle(key)}
        >
          {name}
          {count !== undefined && <span class="chip-count">{count}</span>}
        </button>
      ))}
    </fieldset>
  );
}
