/** A model that was published: it may be rolled out. */
export interface Model {
  name: string;
  version: string;
  sha256: string;
  bytes: number;
  published: number;
  published_by: string;
  about: string;
  gateways: number;
}

export type Stage = "shadow" | "canary" | "all" | "done" | "back";
export type State = "fetching" | "tried" | "good" | "failed" | "refused";

export interface Rollout extends Record<State, number> {
  id: number;
  name: string;
  version: string;
  stage: Stage;
  since: number;
  why: string;
  by: string;
  share: number;
  auto: boolean;
  hold_s: number;
  trial_s: number;
  created: number;
  created_by: string;
  note: string;
  gateways: number;
}

/** What one gateway runs, and how it behaves. */
export interface Running {
  gateway: string;
  name: string;
  version: string;
  rollout: number;
  stage: string;
  state: State | "";
  reason: string;
  heard: number;
  windows: number;
  scored: number;
  alarms: number;
  beside_alarms: number;
  errors: number;
  mean_us: number | null;
  p99_us: number | null;
  memory_bytes: number;
  series_weeks: number | null;
  promised_per_week: number | null;
  alarms_per_week: number | null;
}
