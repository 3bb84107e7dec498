import { ApiError, apiUrl, refusal, SIGNED_OUT } from "../api/client.ts";

/** Who asks, as GET /api/v1/session tells it. `role` is null while nobody is signed in. */
export interface Session {
  sign_in: boolean;
  way: "open" | "session" | "token" | "local" | "nobody";
  name: string | null;
  role: "viewer" | "operator" | "admin" | null;
  expires: number | null;
}

/**
 * The one session of this page. Undefined until the server has told; a request that was refused
 * for want of one makes it nobody's.
 *
 * The role stands at the document too (`data-role`): what an element with `data-needs` asks for
 * and the role has not is not shown (session.css). The server refuses it in any case.
 */
class CurrentSession {
  private told: Session | undefined;
  private readonly listeners = new Set<(session: Session | undefined) => void>();

  constructor() {
    globalThis.addEventListener?.(SIGNED_OUT, () => this.ended());
  }

  now(): Session | undefined {
    return this.told;
  }

  /** Be told of every change; returns the function that ends it. */
  follow(listener: (session: Session | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Ask the server who this is. Raises ApiError. */
  async ask(): Promise<void> {
    this.learn(await call("GET"));
  }

  /** Raises ApiError, `wrong` for a wrong name or password. */
  async signIn(name: string, password: string): Promise<void> {
    this.learn(await call("POST", { name, password }));
  }

  async signOut(): Promise<void> {
    this.learn(await call("DELETE"));
  }

  private ended(): void {
    this.learn({ sign_in: true, way: "nobody", name: null, role: null, expires: null });
  }

  private learn(session: Session): void {
    this.told = session;
    document.documentElement.dataset.role = session.role ?? "nobody";
    for (const listener of this.listeners) listener(session);
  }
}

export const currentSession = new CurrentSession();

async function call(method: "GET" | "POST" | "DELETE", body?: object): Promise<Session> {
  let response: Response;
  try {
    response = await fetch(apiUrl("session"), {
      method,
      headers: { accept: "application/json", "content-type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new ApiError("unreachable", "The server did not answer.", "Try again in a moment.");
  }
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as Session;
}
