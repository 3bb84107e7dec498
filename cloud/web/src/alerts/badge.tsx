import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { Standing } from "../api/types.ts";

const EVERY_MS = 5_000;
const COUNTED_MAX = 99;

interface Answer {
  standing: Standing[];
  next: string | null;
}

/** How many alerts stand, beside the name of their view; nothing while none does. */
export function Badge() {
  const { value } = usePolled("standing", EVERY_MS, (signal) =>
    getJson<Answer>("standing", { limit: COUNTED_MAX }, signal),
  );
  const rows = value?.standing ?? [];
  if (rows.length === 0) return null;
  const isCritical = rows.some((one) => one.severity === "critical");
  return (
    <span class={isCritical ? "badge critical" : "badge"} data-testid="alerts-badge">
      {rows.length}
      {value?.next && "+"}
      <span class="sr"> {isCritical ? "stand, some critical" : "stand"}</span>
    </span>
  );
}
