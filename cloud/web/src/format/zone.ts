const QUARTER_MS = 900_000;
/** Offsets kept of one zone; a look at two centuries by the day needs fewer. */
const OFFSETS_MAX = 50_000;

/** One zone of the IANA table: how far its clocks are from UTC at any instant. */
export class Zone {
  readonly name: string;
  private readonly format: Intl.DateTimeFormat | undefined;
  private readonly offsets = new Map<number, number>();

  /** Raises RangeError where the browser knows no zone of this name. */
  constructor(name: string) {
    this.name = name;
    this.format =
      name === "UTC"
        ? undefined
        : new Intl.DateTimeFormat("en", { timeZone: name, timeZoneName: "longOffset" });
  }

  /** What to add to UTC for this zone's clocks, milliseconds. Zones change on quarters of an hour. */
  offsetMs(ms: number): number {
    if (!this.format || !Number.isFinite(ms)) return 0;
    const quarter = Math.floor(ms / QUARTER_MS);
    const known = this.offsets.get(quarter);
    if (known !== undefined) return known;
    if (this.offsets.size >= OFFSETS_MAX) this.offsets.clear();
    const offset = parsed(this.format, quarter * QUARTER_MS);
    this.offsets.set(quarter, offset);
    return offset;
  }

  /** The clock on the wall as a date whose UTC fields are to be read. */
  wall(ms: number): Date {
    return new Date(Math.floor(ms) + this.offsetMs(ms));
  }

  /** The instant at which the clocks show this; the first of two, the next one of none. */
  instantMs(wallMs: number): number {
    const before = wallMs - this.offsetMs(wallMs - 86_400_000);
    const after = wallMs - this.offsetMs(wallMs + 86_400_000);
    const shows = (ms: number) => ms + this.offsetMs(ms) === wallMs;
    if (shows(Math.min(before, after))) return Math.min(before, after);
    return Math.max(before, after);
  }

  /** `UTC+2` or `UTC−3:30`. */
  offsetName(ms: number): string {
    const minutes = Math.round(this.offsetMs(ms) / 60_000);
    const size = Math.abs(minutes);
    if (size === 0) return "UTC";
    const rest = size % 60 ? `:${String(size % 60).padStart(2, "0")}` : "";
    return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
  }
}

function parsed(format: Intl.DateTimeFormat, ms: number): number {
  const part = format.formatToParts(ms).find((one) => one.type === "timeZoneName")?.value ?? "";
  const found = /([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(part);
  if (!found) return 0;
  const [, sign, hours, minutes, seconds = "0"] = found;
  const size = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
  return (sign === "-" ? -1000 : 1000) * size;
}

/** Which clocks the page shows: the reader's own, none, or those at the plant. */
export type ZoneChoice = "local" | "utc" | "site";

/** The zone that all times of the page are shown in; the address chooses it. */
class ShownZone {
  private readonly local = new Zone(Intl.DateTimeFormat().resolvedOptions().timeZone);
  private readonly utc = new Zone("UTC");
  private site: Zone | undefined;
  zone: Zone = this.local;

  /** Name of the zone at the plant, empty when the server was told none or the browser knows none. */
  get siteName(): string {
    return this.site?.name ?? "";
  }

  /** Learn which zone the plant is in. */
  learn(name: string | undefined): void {
    if (!name || name === this.siteName) return;
    try {
      this.site = new Zone(name);
    } catch {
      this.site = undefined; // an older browser than the zone: its button is not shown
    }
  }

  /** Show times so from now on; without a zone of the plant "site" is UTC. */
  choose(choice: ZoneChoice): void {
    this.zone = { local: this.local, utc: this.utc, site: this.site ?? this.utc }[choice];
  }
}

/** One page shows the times of one zone. */
export const shownZone = new ShownZone();
