import { parseZone } from "../chart/chart-address.ts";
import type { ZoneChoice } from "../format/zone.ts";

/** What was said of the episodes to be listed; `open` stands for nothing yet. */
export type ReviewState = "open" | "confirmed" | "dismissed" | "all";

/** Which episodes are reviewed, in which order, and at which one the reviewer is. */
export interface ReviewChoice {
  gateway: string;
  device: string;
  metric: string;
  model: string;
  /** The least score, as it was typed; empty for any. */
  score: string;
  state: ReviewState;
  order: "newest" | "peak";
  zone: ZoneChoice;
  episode: string | undefined;
}

export const PLAIN_REVIEW: ReviewChoice = {
  gateway: "",
  device: "",
  metric: "",
  model: "",
  score: "",
  state: "open",
  order: "newest",
  zone: "local",
  episode: undefined,
};

const STATES: readonly ReviewState[] = ["open", "confirmed", "dismissed", "all"];
const TEXTS = ["gateway", "device", "metric", "model"] as const;

/** Read a review's choices from the address; what is not there or wrong is as usual. */
export function parseReview(query: URLSearchParams): ReviewChoice {
  const score = query.get("score") ?? "";
  const episode = query.get("episode") ?? "";
  const texts = Object.fromEntries(TEXTS.map((name) => [name, query.get(name) ?? ""]));
  return {
    ...PLAIN_REVIEW,
    ...texts,
    score: isScore(score) ? score : "",
    state: STATES.find((one) => one === query.get("state")) ?? "open",
    order: query.get("order") === "peak" ? "peak" : "newest",
    zone: parseZone(query),
    episode: /^[0-9a-f]{32}$/.test(episode) ? episode : undefined,
  };
}

/** Write what differs from the usual, from `#` on. */
export function formatReview(choice: ReviewChoice): string {
  const query = new URLSearchParams();
  for (const name of Object.keys(PLAIN_REVIEW) as (keyof ReviewChoice)[]) {
    const value = choice[name];
    if (value && value !== PLAIN_REVIEW[name]) query.set(name, value);
  }
  const text = query.toString();
  return text ? `#/review?${text}` : "#/review";
}

/** A number from 0 on. */
export function isScore(text: string): boolean {
  return /^\d{1,12}(\.\d{1,12})?$/.test(text);
}
