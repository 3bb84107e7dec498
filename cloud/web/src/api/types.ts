/** The HTTP API as the server speaks it. Times are integer microseconds since 1970, UTC. */

export interface Status {
  journal: { head: number; archived: number; generation: number };
  history: { readings: number; series: number; anomalies: number };
  version: string;
  now: number;
  /** The zone of the plant, empty where the server was not told. */
  zone?: string;
}

export interface Gateway {
  name: string;
  first_seen: number | null;
  last_seen: number | null;
  /** Unheard for so long it is silent, as the cloud's rules say. */
  silent_s: number;
  connected: boolean;
  epoch: number;
  session: number;
  stored: number;
  archived: number;
  series: number;
  readings: number;
  anomalies: number;
  backlog_rows: number | null;
  backlog_bytes: number | null;
  /** Readings a second by which the backlog grows; below 0 it shrinks. */
  backlog_pace: number | null;
  backlog_eta_s: number | null;
  buffer_bytes: number | null;
  buffer_bytes_max: number | null;
  rejected: number | null;
  evicted: number | null;
  clock: string | null;
  key_tier: string | null;
  agent_version: string | null;
  last_ts: number | null;
  certificate_issued: number | null;
  certificate_not_after: number | null;
}

/** What became of one gateway's epoch; `epoch` 0 stands for all too old to be told apart. */
export interface LedgerRow {
  gateway: string;
  epoch: number;
  generation: number;
  open: boolean;
  expected: number;
  stored: number;
  archived: number;
  readings: number;
  archived_readings: number;
  quarantined_blocks: number;
  quarantined_readings: number;
  discarded_blocks: number;
  discarded_readings: number;
  forked_blocks: number;
  deleted_blocks: number;
  in_lake: number;
  gaps: Record<string, { records: number; readings: number }>;
  reasons: string[];
}

/** A stretch that a gateway declared lost. */
export interface Gap {
  gateway: string;
  from: number;
  to: number;
  readings: number;
  reason: string;
  epoch: number;
}

/** A block that the lake could not take, or of another stream under the same name. */
export interface Apart {
  /** Its hash, hexadecimal. */
  block: string;
  gateway: string;
  epoch: number;
  seq: number;
  cause: "poison" | "fork";
  state: "held" | "releasing" | "released" | "discarded";
  reason: string;
  why: string;
  attempts: number;
  since: number;
  settled: number | null;
  readings: number;
  bytes: number;
  offset: number;
}

/** One such block, looked at. */
export interface ApartBlock extends Apart {
  kept: boolean;
  header: {
    rows: Record<string, number>;
    ts_min: number;
    ts_max: number;
    sealed: number;
    boot_id: string;
    chunks: number;
  } | null;
  fault: string;
}

export interface Fleet {
  now: number;
  gateways: Gateway[];
}

export interface Device {
  gateway: string;
  device: string;
  metrics: number;
  last_ts: number | null;
  readings: number;
  anomalies: number;
}

export interface Series {
  id: string;
  gateway: string;
  device: string;
  metric: string;
  unit: string;
  kind: string;
  labels: Record<string, string>;
  first_ts: number | null;
  last_ts: number | null;
  last_value: number | null;
  last_text: string | null;
  readings: number;
  anomalies: number;
}

export interface RawTrack {
  id: string;
  t: number[];
  v: (number | null)[];
  text?: (string | null)[];
  quality: number[];
}

export interface BucketTrack {
  id: string;
  t: number[];
  count: number[];
  mean: number[];
  min: number[];
  max: number[];
  first: number[];
  last: number[];
}

interface HistoryFrame {
  from: number;
  to: number;
  watermark: { journal: number; lake: number };
  next: string | null;
}

export interface RawHistory extends HistoryFrame {
  resolution: "raw";
  bucket_us: null;
  series: RawTrack[];
}

export interface BucketHistory extends HistoryFrame {
  resolution: string;
  bucket_us: number;
  series: BucketTrack[];
}

export type History = RawHistory | BucketHistory;

/** Narrow an answer: raw readings have no bucket width. */
export function isRaw(history: History): history is RawHistory {
  return history.bucket_us === null;
}

export interface Anomaly {
  series: string;
  gateway: string;
  device: string;
  metric: string;
  ts: number;
  value: number;
  score: number;
  threshold: number;
  model: string;
}

export interface LiveReadings {
  id: string;
  t: number[];
  v: (number | null)[];
}

/** For how long one value of a series stood. */
export interface Stretch {
  series: string;
  from: number;
  to: number;
  value: number | null;
  text: string | null;
  readings: number;
  since: number;
  open: boolean;
}

export interface Episode {
  id: string;
  series: string;
  gateway: string;
  device: string;
  metric: string;
  from: number;
  to: number;
  state: number;
  /** It goes on, as far as the gateway told. */
  open: boolean;
  peak_ts: number;
  peak: number;
  threshold: number;
  model: string;
  points: number;
  /** What somebody said of it, null while nobody did or it was taken back. */
  verdict: VerdictKind | null;
  verdict_note: string;
  verdict_author: string;
}

export type VerdictKind = "confirmed" | "dismissed";

export type MarkKind = "fault" | "maintenance" | "bad";

/** What somebody said of an interval of series, a device or a gateway. */
export interface Mark {
  id: string;
  kind: MarkKind;
  from: number;
  to: number;
  series: string[];
  gateway: string;
  device: string;
  note: string;
  author: string;
  created: number;
  withdrawn: number | null;
  withdrawn_by: string;
}

export type Severity = "info" | "warning" | "critical";

/** Something that people are told of, for as long as it is so. */
export interface Standing {
  id: string;
  what: "silence" | "buffer" | "certificate" | "gap" | "episode" | "limit";
  rule: string;
  severity: Severity;
  gateway: string;
  device: string | null;
  metric: string | null;
  began: number;
  ended: number | null;
  detail: Record<string, string | number>;
}

/** A message about what stands, and what became of it. */
export interface Notice {
  id: string;
  channel: string;
  severity: Severity;
  subject: string;
  state: "waiting" | "delivered" | "dropped";
  attempts: number;
  made: number;
  due: number | null;
  done: number | null;
  error: string;
}
