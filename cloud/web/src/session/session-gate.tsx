import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { currentSession } from "./session.ts";
import { SignIn } from "./sign-in.tsx";
import { useSession } from "./use-session.ts";
import "./session.css";

/** The page for whom the server knows, the form for everybody else. */
export function SessionGate({ children }: { children: ComponentChildren }) {
  const session = useSession();
  useEffect(() => {
    // Whatever fails here fails for the page's own questions too, and is told there.
    currentSession.ask().catch(() => undefined);
  }, []);
  if (session?.sign_in && session.role === null) return <SignIn />;
  return <>{children}</>;
}
