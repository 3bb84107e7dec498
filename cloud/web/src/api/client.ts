/** Asks the server that served this page, and no other. */

/** The event of a request that was refused because nobody is signed in. */
export const SIGNED_OUT = "tidegate-signed-out";

export type Params = Record<string, string | number | undefined>;

/** A refused or failed request: what the server said, and what to do. */
export class ApiError extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint: string) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.hint = hint;
  }
}

/** Address of an API route relative to the page, so that a path prefix before it works too. */
export function apiUrl(route: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return `api/v1/${route}${text ? `?${text}` : ""}`;
}

/** GET one JSON answer. Raises ApiError; an aborted request raises the signal's AbortError. */
export async function getJson<T>(
  route: string,
  params: Params,
  signal: AbortSignal | null = null,
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(apiUrl(route, params), {
      signal,
      headers: { accept: "application/json" },
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(
      "unreachable",
      "The server did not answer.",
      "Is tidegate-cloud serve still running, and this machine still connected to it?",
    );
  }
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

/** What a server that refused said of it. */
export async function refusal(response: Response): Promise<ApiError> {
  if (response.status === 401) dispatchEvent(new Event(SIGNED_OUT));
  try {
    const { error } = (await response.json()) as {
      error: { code: string; message: string; hint: string };
    };
    return new ApiError(error.code, error.message, error.hint ?? "");
  } catch {
    return new ApiError(
      `http-${response.status}`,
      `The server answered ${response.status} ${response.statusText}.`,
      "Its log says more.",
    );
  }
}
