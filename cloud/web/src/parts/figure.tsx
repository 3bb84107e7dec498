import type { ComponentChildren } from "preact";

interface Props {
  name: string;
  value: string;
  /** A word on what the figure means just now. */
  note?: ComponentChildren;
  testid?: string;
}

/** One labelled figure, as on an instrument's plate. */
export function Figure({ name, value, note, testid }: Props) {
  return (
    <div class="plate" data-testid={testid}>
      <span class="label">{name}</span>
      <span class="plate-value">{value}</span>
      <span class="plate-note">{note}</span>
    </div>
  );
}
