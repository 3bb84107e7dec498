import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";
import { currentSession } from "./session.ts";

/** Name and password; what is at the page's address is shown once they are right. */
export function SignIn() {
  const [error, setError] = useState<ApiError>();
  const [isBusy, setBusy] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = "Sign in · Tidegate";
    name.current?.focus();
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await currentSession.signIn(name.current?.value ?? "", password.current?.value ?? "");
    } catch (cause) {
      setError(asApiError(cause));
      setBusy(false);
      password.current?.select();
    }
  };
  return (
    <main id="main" class="sign-in">
      <form onSubmit={submit} data-testid="sign-in" aria-labelledby="sign-in-title">
        <h1 id="sign-in-title">Sign in to Tidegate</h1>
        <label for="sign-in-name">Name</label>
        <input
          id="sign-in-name"
          ref={name}
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
        />
        <label for="sign-in-password">Password</label>
        <input
          id="sign-in-password"
          ref={password}
          type="password"
          autocomplete="current-password"
          required
        />
        {error && (
          <p class="notice failure" role="alert" data-code={error.code}>
            {TOLD[error.code] ?? `${error.message} ${error.hint}`}
          </p>
        )}
        <button type="submit" disabled={isBusy}>
          {isBusy ? "Signing in …" : "Sign in"}
        </button>
      </form>
    </main>
  );
}

const TOLD: Record<string, string> = {
  wrong: "Name or password is wrong.",
  too_many_attempts: "Too many attempts. Wait a minute, then try again.",
};
