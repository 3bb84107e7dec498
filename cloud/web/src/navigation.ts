import { useEffect, useState } from "preact/hooks";
import { formatHash, parseHash, type Range, type Route } from "./route.ts";

/** What a history entry remembers beside its address. */
export interface Trail {
  /** How many zooms lie beneath this entry: that often the back button zooms out. */
  zooms: number;
  /** The range from which zooming began. */
  home?: Range;
}

/** The route in the address bar, kept up to date. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const read = () => setHash(location.hash);
    window.addEventListener("hashchange", read);
    window.addEventListener("popstate", read);
    return () => {
      window.removeEventListener("hashchange", read);
      window.removeEventListener("popstate", read);
    };
  }, []);
  return parseHash(hash);
}

/** What the present history entry remembers. */
export function trail(): Trail {
  return (history.state as Trail | null) ?? { zooms: 0 };
}

/**
 * Go to a route. `push` leaves the present one for the back button; `replace` overwrites it.
 * The History API fires nothing by itself, so the listeners of useRoute are told.
 */
export function go(
  route: Route,
  how: "push" | "replace" = "push",
  mark: Trail = { zooms: 0 },
): void {
  const hash = formatHash(route);
  if (hash === location.hash) return;
  if (how === "push") history.pushState(mark, "", hash);
  else history.replaceState(mark, "", hash);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** A route whose view can be searched, filtered, ordered. */
export type Chosen = Exclude<Route, { view: "series" | "review" | "unknown" }>;

/**
 * Choose otherwise in the present view; what is typed overwrites the entry before, a click adds one.
 * What was chosen is read from the address: two fields may be told of one after the other before
 * the view is drawn anew.
 */
export function choose(
  route: Chosen,
  change: Record<string, string | undefined>,
  how: "push" | "replace" = "push",
): void {
  const here = parseHash(location.hash);
  const choice: Record<string, string> = {
    ...(here.view === route.view && "choice" in here ? here.choice : {}),
  };
  for (const [key, value] of Object.entries(change)) {
    if (value) choice[key] = value;
    else delete choice[key];
  }
  const { choice: _, ...rest } = route;
  go({ ...rest, ...(Object.keys(choice).length ? { choice } : {}) }, how);
}
