import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

/**
 * A view that is fetched when it is first shown, so that the first load stays small.
 * After an update of the server its former files are gone: then the page itself is old.
 */
export function lazily<P extends object>(
  load: () => Promise<{ default: ComponentType<P> }>,
): ComponentType<P> {
  let Loaded: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const [, setArrived] = useState(false);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      if (Loaded) return;
      load().then(
        (module) => {
          Loaded = module.default;
          setArrived(true);
        },
        () => setFailed(true),
      );
    }, []);
    if (Loaded) return <Loaded {...props} />;
    if (!failed) return <p class="quiet">Loading…</p>;
    return (
      <div class="notice failure" role="alert" data-testid="failure" data-code="part-missing">
        <p>A part of this page could not be fetched.</p>
        <p class="quiet">
          The server may be away, or was updated since the page was opened.{" "}
          <button type="button" class="plain" onClick={() => location.reload()}>
            Load the page again
          </button>
        </p>
      </div>
    );
  };
}
