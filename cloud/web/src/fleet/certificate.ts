import { oneUnit } from "../format/time.ts";

/** How much of a certificate's life is left. */
export function certificateLeft(notAfterUs: number | null, nowUs: number): string {
  if (notAfterUs === null) return "–";
  const left = notAfterUs - nowUs;
  return left > 0 ? `${oneUnit(left)} left` : `expired ${oneUnit(-left)} ago`;
}
