import type { Mark, MarkKind } from "../api/types.ts";

/** What a mark says, in words. */
export const MARK_NAMES: Readonly<Record<MarkKind, string>> = {
  fault: "Fault",
  maintenance: "Maintenance",
  bad: "Bad data",
};

/** What a mark speaks of. */
export function markScope(mark: Mark): string {
  if (mark.series.length > 0)
    return mark.series.length === 1 ? "this series" : `${mark.series.length} series`;
  return mark.device ? `device ${mark.device}` : `gateway ${mark.gateway}`;
}
