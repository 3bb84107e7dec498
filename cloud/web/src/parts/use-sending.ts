import { useState } from "preact/hooks";
import type { ApiError } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";

export interface Sending {
  busy: boolean;
  /** Why the last one failed, if it did. */
  error: ApiError | undefined;
  /** Do one thing at a time. */
  run(work: () => Promise<void>): Promise<void>;
}

/** What a form sends: one at a time, with the refusal of the last. */
export function useSending(): Sending {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>();
  const run = async (work: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    try {
      await work();
      setError(undefined);
    } catch (cause) {
      setError(asApiError(cause));
    }
    setBusy(false);
  };
  return { busy, error, run };
}
