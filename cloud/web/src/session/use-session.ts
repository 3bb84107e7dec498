import { useEffect, useState } from "preact/hooks";
import { currentSession, type Session } from "./session.ts";

/** The session in force; undefined until the server has told. */
export function useSession(): Session | undefined {
  const [session, setSession] = useState(currentSession.now());
  useEffect(() => {
    setSession(currentSession.now());
    return currentSession.follow(setSession);
  }, []);
  return session;
}
