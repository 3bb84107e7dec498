import { ApiError, apiUrl, type Params, refusal } from "./client.ts";

/** Send one JSON object to a route, or withdraw what is there. Raises ApiError. */
export async function sendJson<T>(
  method: "POST" | "DELETE",
  route: string,
  params: Params,
  body?: object,
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(apiUrl(route, params), {
      method,
      headers: { accept: "application/json", "content-type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new ApiError(
      "unreachable",
      "The server did not answer; nothing may have been kept.",
      "Try again: nothing is kept twice.",
    );
  }
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

/** An id of our own for what is sent, so that sending it again keeps it once: 16 hex digits. */
export function ownId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
}
