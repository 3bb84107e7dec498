import "uplot/dist/uPlot.min.css";
import "../styles/series.css";
import "../styles/chart.css";
import "../styles/anomalies.css";
import "../styles/compare.css";
import "../styles/notes.css";
import "../styles/review.css";

/** The episodes one after the other: fetched when a review is begun. */
export { ReviewView as default } from "../review/review-view.tsx";
