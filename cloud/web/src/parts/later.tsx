import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/client.ts";
import { Failure } from "./failure.tsx";

interface Props<T> {
  /** Fetches the part of the page; must be the same function each time. */
  load(): Promise<T>;
  children(part: T): preact.ComponentChildren;
}

const LOST = new ApiError(
  "unreachable",
  "This part of the page could not be fetched.",
  "Load the page again: the server may have been updated.",
);

/** A part of the page that is fetched when it is first needed. */
export function Later<T>({ load, children }: Props<T>) {
  const [part, setPart] = useState<{ value: T } | undefined>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let wanted = true;
    load().then(
      (value) => wanted && setPart({ value }),
      () => wanted && setFailed(true),
    );
    return () => {
      wanted = false;
    };
  }, [load]);
  if (part) return <>{children(part.value)}</>;
  return failed ? <Failure error={LOST} /> : <p class="quiet">Loading…</p>;
}
