import type { Health } from "../fleet/health.ts";

/** What a health is called. */
export const WORDS: Record<Health, string> = {
  silent: "Silent",
  attention: "Attention",
  new: "Not yet heard",
  well: "Well",
};

/** Health as shape, colour and word: no one of the three alone. */
export function Lamp({ health }: { health: Health }) {
  return (
    <span class={`lamp ${health}`} data-testid="health" data-health={health}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        {health === "well" && <circle cx="6" cy="6" r="4.5" />}
        {health === "new" && <circle class="hollow" cx="6" cy="6" r="4" />}
        {health === "attention" && <path d="M6 1 11.4 10.6H.6z" />}
        {health === "silent" && <path d="M1.5 1.5h9v9h-9z" />}
      </svg>
      {WORDS[health]}
    </span>
  );
}
