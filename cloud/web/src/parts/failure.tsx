import type { ApiError } from "../api/client.ts";

/** A request that failed: what, and what to do. `kept` when older data is still on screen. */
export function Failure({ error, kept = false }: { error: ApiError; kept?: boolean }) {
  return (
    <div class="notice failure" role="alert" data-testid="failure" data-code={error.code}>
      <p>
        {error.message} {kept && "What you see is from before. "}
      </p>
      {error.hint && <p class="quiet">{error.hint}</p>}
    </div>
  );
}
