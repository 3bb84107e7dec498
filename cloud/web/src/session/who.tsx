import { useState } from "preact/hooks";
import { currentSession } from "./session.ts";
import { useSession } from "./use-session.ts";

/** Who is signed in, and the way out; nothing where nobody has to. */
export function Who() {
  const session = useSession();
  const [hasFailed, setFailed] = useState(false);
  if (!session?.name || session.way !== "session") return null;
  const leave = () => {
    setFailed(false);
    currentSession.signOut().catch(() => setFailed(true));
  };
  return (
    <span class="who" data-testid="who">
      <span class="who-name" title={`${session.name}, ${session.role}`}>
        {session.name} <span class="quiet">{session.role}</span>
      </span>
      <button type="button" class="theme" data-testid="sign-out" onClick={leave}>
        {hasFailed ? "Sign out again" : "Sign out"}
      </button>
    </span>
  );
}
