import { count } from "../format/number.ts";

interface Props {
  /** What is paged, in words: `gateways`. */
  what: string;
  total: number;
  /** From 1. */
  page: number;
  rows: number;
  onPage(page: number): void;
}

/** The page that a choice names, as far as there is one. */
export function pageOf(text: string | undefined, total: number, rows: number): number {
  const last = Math.max(Math.ceil(total / rows), 1);
  return Math.min(Math.max(Number.parseInt(text ?? "1", 10) || 1, 1), last);
}

/** Steps through a list that is longer than one page; nothing where it is not. */
export function Pager({ what, total, page, rows, onPage }: Props) {
  const last = Math.ceil(total / rows);
  if (last <= 1) return null;
  const steps: [string, number, string][] = [
    ["First", 1, "«"],
    ["Previous", page - 1, "‹"],
    ["Next", page + 1, "›"],
    ["Last", last, "»"],
  ];
  return (
    <nav class="pager" aria-label={`Pages of ${what}`} data-testid="pager">
      <span class="quiet" aria-live="polite">
        {count((page - 1) * rows + 1)}–{count(Math.min(page * rows, total))} of {count(total)}{" "}
        {what}
      </span>
      {steps.map(([name, to, sign]) => (
        <button
          key={name}
          type="button"
          aria-label={`${name} page`}
          disabled={to < 1 || to > last || to === page}
          onClick={() => onPage(to)}
        >
          {sign}
        </button>
      ))}
    </nav>
  );
}
