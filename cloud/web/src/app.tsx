import { useEffect } from "preact/hooks";
import { FleetView } from "./fleet/fleet-view.tsx";
import { shownZone, type ZoneChoice } from "./format/zone.ts";
import { useRoute } from "./navigation.ts";
import { Header } from "./parts/header.tsx";
import { lazily } from "./parts/lazily.tsx";
import { Safely } from "./parts/safely.tsx";
import { formatHash, type Route } from "./route.ts";
import { type Theme, useTheme } from "./theme.ts";

const AlertsView = lazily(() => import("./alerts/alerts-view.tsx"));
const DeviceView = lazily(() => import("./device/device-view.tsx"));
const FindView = lazily(() => import("./series/find-view.tsx"));
const GatewayView = lazily(() => import("./device/gateway-view.tsx"));
const LedgerView = lazily(() => import("./ledger/ledger-view.tsx"));
const ModelsView = lazily(() => import("./models/models-view.tsx"));
const QuarantineView = lazily(() => import("./quarantine/quarantine-view.tsx"));
const ReviewView = lazily(() => import("./views/review.ts"));
const SeriesView = lazily(() => import("./views/chart.ts"));

/** The frame of every view, and the view that the address names. */
export function App() {
  const route = useRoute();
  const [theme, toggleTheme] = useTheme();
  shownZone.choose(zoneOf(route));
  useEffect(() => {
    document.title = titleOf(route);
  });
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Skip to content
      </button>
      <Header route={route} theme={theme} toggleTheme={toggleTheme} />
      <main id="main" tabIndex={-1} data-view={route.view}>
        <Safely key={route.view}>
          <View route={route} theme={theme} />
        </Safely>
      </main>
    </>
  );
}

function View({ route, theme }: { route: Route; theme: Theme }) {
  switch (route.view) {
    case "fleet":
      return <FleetView route={route} />;
    case "find":
      return <FindView route={route} />;
    case "alerts":
      return <AlertsView route={route} />;
    case "ledger":
      return <LedgerView key={route.gateway} route={route} />;
    case "quarantine":
      return <QuarantineView route={route} />;
    case "models":
      return <ModelsView route={route} />;
    case "gateway":
      return <GatewayView key={route.gateway} route={route} />;
    case "device":
      return <DeviceView route={route} />;
    case "series":
      return <SeriesView key={route.series} route={route} theme={theme} />;
    case "review":
      return <ReviewView choice={route.review} theme={theme} />;
    case "unknown":
      return (
        <p class="notice" data-testid="not-found">
          There is no view at this address.{" "}
          <a href={formatHash({ view: "fleet" })}>Go to the fleet</a>.
        </p>
      );
  }
}

/** Charts and reviews may show another zone than the reader's. */
function zoneOf(route: Route): ZoneChoice {
  if (route.view === "series") return route.chart?.zone ?? "local";
  return route.view === "review" ? route.review.zone : "local";
}

function titleOf(route: Route): string {
  switch (route.view) {
    case "find":
      return "Series · Tidegate";
    case "alerts":
      return "Alerts · Tidegate";
    case "quarantine":
      return "Quarantine · Tidegate";
    case "models":
      return "Models · Tidegate";
    case "ledger":
      return `Ledger${route.gateway ? ` · ${route.gateway}` : ""} · Tidegate`;
    case "review":
      return "Review · Tidegate";
    case "gateway":
      return `${route.gateway} · Tidegate`;
    case "device":
    case "series":
      return `${route.device} · ${route.gateway} · Tidegate`;
    default:
      return "Tidegate";
  }
}

/** The address belongs to the views, so skipping moves the focus without touching it. */
function skip(): void {
  document.getElementById("main")?.focus();
}
