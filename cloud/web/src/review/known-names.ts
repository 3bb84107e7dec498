import { useEffect, useState } from "preact/hooks";
import { getJson, type Params } from "../api/client.ts";
import type { ReviewChoice } from "./review-address.ts";

export type NameField = "gateway" | "device" | "metric";

const FIELDS: readonly NameField[] = ["gateway", "device", "metric"];
const OFFERED_MAX = 50;
/** Long enough to type the next letter. */
const SETTLE_MS = 150;

/**
 * Names of all series there are, for the field that is being filled in: those with what was typed
 * in them, of the series that the other fields name. Without an answer nothing is offered.
 */
export function useKnownNames(field: NameField | undefined, choice: ReviewChoice): string[] {
  const [names, setNames] = useState<string[]>([]);
  const asked = field && JSON.stringify(asking(field, choice));
  useEffect(() => {
    setNames([]);
    if (!field || !asked) return;
    const stop = new AbortController();
    const ask = () =>
      // Label values are of the Prometheus API, which stands beside this one.
      getJson<{ data: string[] }>(
        `../prometheus/api/v1/label/${field}/values`,
        JSON.parse(asked) as Params,
        stop.signal,
      ).then(
        ({ data }) => setNames(data),
        () => undefined,
      );
    const timer = setTimeout(ask, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [field, asked]);
  return names;
}

/** Which values of a field are asked for. */
export function asking(field: NameField, choice: ReviewChoice): Params {
  const conditions = FIELDS.filter((one) => one !== field && choice[one]).map(
    (one) => `${one}=${JSON.stringify(choice[one])}`,
  );
  const part = choice[field].replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  conditions.push(`${field}=~${JSON.stringify(`(?i).*${part}.*`)}`);
  return { "match[]": `{${conditions.join(",")}}`, limit: OFFERED_MAX };
}
