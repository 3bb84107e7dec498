/** The views with a chart: fetched together, when the first of them is looked at. */
export { ReviewView } from "../review/review-view.tsx";
export { SeriesView } from "./series-view.tsx";
