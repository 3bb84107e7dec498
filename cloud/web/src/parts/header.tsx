import { formatReview, PLAIN_REVIEW } from "../review/review-address.ts";
import { formatHash, type Route } from "../route.ts";
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
        <nav class="crumbs" aria-label="Where you are">
          {crumbs(route).map(([name, href]) => (
            <a
              key={href}
              href={href}
              aria-current={href === formatHash(route) ? "page" : undefined}
            >
              {name}
            </a>
          ))}
        </nav>
        <a class="head-link" href={formatReview(PLAIN_REVIEW)}>
          Review
        </a>
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

function crumbs(route: Route): [string, string][] {
  const way: [string, string][] = [["Fleet", formatHash({ view: "fleet" })]];
  if (route.view === "fleet" || route.view === "unknown") return way;
  if (route.view === "review") return [...way, ["Review", formatHash(route)]];
  const { gateway } = route;
  if (gateway) way.push([gateway, formatHash({ view: "gateway", gateway })]);
  if (route.view === "ledger") {
    way.push(["Ledger", formatHash(route)]);
    return way;
  }
  if (route.view === "gateway") return way;
  way.push([route.device, formatHash({ ...route, view: "device" })]);
  return way;
}
