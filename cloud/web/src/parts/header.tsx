import { Badge } from "../alerts/badge.tsx";
import { PLAIN_REVIEW } from "../review/review-address.ts";
import { formatHash, type Route } from "../route.ts";
import { Who } from "../session/who.tsx";
import type { Theme } from "../theme.ts";

interface Props {
  route: Route;
  theme: Theme;
  toggleTheme(): void;
}

/** Name, the way from the fleet down to here, and the theme switch. */
export function Header({ route, theme, toggleTheme }: Props) {
  const other = theme === "dark" ? "light" : "dark";
  return (
    <header class="head">
      <div class="head-row">
        <a class="brand" href={formatHash({ view: "fleet" })}>
          <Mark />
          Tidegate
        </a>
        <nav class="places" aria-label="Views">
          {PLACES.map(([name, place]) => (
            <a
              key={name}
              href={formatHash(place)}
              aria-current={isWithin(route, place) ? "page" : undefined}
            >
              {name}
              {place.view === "alerts" && <Badge />}
            </a>
          ))}
        </nav>
        <nav class="crumbs" aria-label="Where you are">
          {crumbs(route).map(([name, href]) => (
            <a
              key={href}
              href={href}
              aria-current={href === formatHash(route) ? "location" : undefined}
            >
              {name}
            </a>
          ))}
        </nav>
        <Who />
        <button type="button" class="theme" data-testid="theme" onClick={toggleTheme}>
          {other === "dark" ? "Dark" : "Light"}
          <span class="sr"> theme</span>
        </button>
      </div>
      <div class="staff" aria-hidden="true" />
    </header>
  );
}

/** A gate half raised between its posts, the water beneath. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path class="mark-water" d="M7 16h10M7 20h10" />
      <path class="mark-gate" d="M8 2.5h8v9H8z" />
      <path class="mark-post" d="M4.5 2v20M19.5 2v20" />
    </svg>
  );
}

/** The views that lead everywhere. */
const PLACES: [string, Route][] = [
  ["Fleet", { view: "fleet" }],
  ["Series", { view: "find" }],
  ["Review", { view: "review", review: PLAIN_REVIEW }],
  ["Models", { view: "models" }],
  ["Alerts", { view: "alerts" }],
  ["Ledger", { view: "ledger", gateway: undefined }],
  ["Quarantine", { view: "quarantine" }],
];

/** Gateways and devices are of the fleet; a gateway's own ledger is of the ledger. */
function isWithin(route: Route, place: Route): boolean {
  if (place.view === "fleet") return ["fleet", "gateway", "device", "series"].includes(route.view);
  return route.view === place.view;
}

/** The way down from a gateway; nothing where there is none. */
function crumbs(route: Route): [string, string][] {
  if (!("gateway" in route) || !route.gateway) return [];
  const { gateway } = route;
  const way: [string, string][] = [[gateway, formatHash({ view: "gateway", gateway })]];
  if (route.view === "ledger") way.push(["Ledger", formatHash({ view: "ledger", gateway })]);
  if (route.view === "gateway" || route.view === "ledger") return way;
  const { device } = route;
  way.push([device, formatHash({ view: "device", gateway, device })]);
  return way;
}
