import { useSession } from "./use-session.ts";

/** Whether who asks may say something of the history; the server refuses it in any case. */
export function useMayWrite(): boolean {
  return useSession()?.role !== "viewer";
}

/** Why something is not offered to a viewer. */
export function NeedsOperator({ what }: { what: string }) {
  return (
    <p class="quiet" data-testid="needs-operator">
      You are a viewer: {what} needs an operator.
    </p>
  );
}
