import { go, trail } from "../navigation.ts";
import type { Route } from "../route.ts";
import { type ChartChoice, PLAIN_CHART } from "./chart-address.ts";

export type SeriesRoute = Extract<Route, { view: "series" }>;

export interface ChoiceControl {
  chart: ChartChoice;
  /** Write other choices into the address; `step` leaves the present ones for the back button. */
  change(part: Partial<ChartChoice>, step?: boolean): void;
}

/** The choices that the address holds, and the way to change them. */
export function choiceOf(route: SeriesRoute): ChoiceControl {
  const chart = route.chart ?? PLAIN_CHART;
  return {
    chart,
    change: (part, step = false) => {
      const next: SeriesRoute = { ...route, chart: { ...chart, ...part } };
      if (step) go(next);
      else go(next, "replace", trail());
    },
  };
}
