import { apiUrl } from "./client.ts";
import type { Anomaly, LiveReadings } from "./types.ts";

export type LiveState = "connecting" | "open" | "lost";

export interface LiveHandlers {
  readings(event: LiveReadings): void;
  anomaly(event: Anomaly): void;
  state(state: LiveState): void;
}

/**
 * Follow series (ids joined by commas) as they arrive; returns the function that stops.
 * The browser reconnects by itself; each `open` after the first means events may have been missed.
 */
export function followSeries(ids: string, handlers: LiveHandlers): () => void {
  handlers.state("connecting");
  const source = new EventSource(apiUrl("live", { series: ids }));
  source.addEventListener("open", () => handlers.state("open"));
  source.addEventListener("error", () => handlers.state("lost"));
  source.addEventListener("readings", (event) => handlers.readings(JSON.parse(event.data)));
  source.addEventListener("anomaly", (event) => handlers.anomaly(JSON.parse(event.data)));
  return () => source.close();
}
