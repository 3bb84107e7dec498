import "uplot/dist/uPlot.min.css";
import "../styles/series.css";
import "../styles/chart.css";
import "../styles/anomalies.css";
import "../styles/compare.css";
import "../styles/notes.css";
import "../styles/export.css";

/** A series through time: fetched when one is opened, since nobody begins there. */
export { SeriesView as default } from "../chart/series-view.tsx";
