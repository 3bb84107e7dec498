import type { Severity as Weight } from "../api/types.ts";

const LAMPS: Record<Weight, string> = { critical: "silent", warning: "attention", info: "new" };

/** How much an alert matters, as shape, colour and word. */
export function Severity({ of, children }: { of: Weight; children?: string }) {
  return (
    <span class={`lamp ${LAMPS[of]}`} data-severity={of}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        {of === "info" && <circle class="hollow" cx="6" cy="6" r="4" />}
        {of === "warning" && <path d="M6 1 11.4 10.6H.6z" />}
        {of === "critical" && <path d="M1.5 1.5h9v9h-9z" />}
      </svg>
      {children ?? of}
    </span>
  );
}
