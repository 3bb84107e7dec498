import type { ComponentChildren } from "preact";
import { useErrorBoundary } from "preact/hooks";

/** What cannot be drawn says so in its own place: the head, and the way elsewhere, stay. */
export function Safely({ children }: { children: ComponentChildren }) {
  const [error] = useErrorBoundary((cause) => console.error(cause));
  if (!error) return <>{children}</>;
  return (
    <div class="notice failure" role="alert" data-testid="failure" data-code="not-drawn">
      <p>This view could not be drawn.</p>
      <p class="quiet">
        This is our fault: please report it, with what the browser's console says.{" "}
        <button type="button" class="plain" onClick={() => location.reload()}>
          Load the page again
        </button>
      </p>
    </div>
  );
}
