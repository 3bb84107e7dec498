import { useEffect, useRef, useState } from "preact/hooks";
import type { Anomaly } from "../api/types.ts";
import type { Theme } from "../theme.ts";
import { AnomalyMarkers } from "./anomaly-markers.tsx";
import { Plot, type PlotEvents, type PlotFrame } from "./plot.ts";
import { pointsWithin } from "./plot-data.ts";
import type { ChartHistory } from "./use-history.ts";
import type { WindowControl } from "./use-window.ts";
import { pan, zoom } from "./window.ts";

interface Props {
  series: string;
  title: string;
  control: WindowControl;
  history: ChartHistory;
  anomalies: Anomaly[];
  theme: Theme;
  highlight: number | undefined;
  onHighlight(ts: number | undefined): void;
  onPointed(index: number | null): void;
  onWidth(widthPx: number): void;
}

/** The drawing itself: canvas, anomaly markers above it, gestures and keys. */
export function ChartPanel(props: Props) {
  const { control, history, anomalies } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const [frame, setFrame] = useState<PlotFrame | undefined>();
  usePlot(host, plot, props, setFrame);
  useEffect(() => plot.current?.show(history.data, control.window));

  const { fromUs, toUs } = control.window;
  const answer = history.answer?.history;
  const inside = anomalies.filter((one) => one.ts >= fromUs && one.ts <= toUs);
  const gaps = history.data.gaps.filter(([a, b]) => b > fromUs && a < toUs);
  const points = pointsWithin(history.data, fromUs, toUs);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a drawing with keys of its own is a group
    <div
      class="chart"
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys below need the focus
      tabIndex={0}
      aria-label={`${props.title}, chart. Arrow keys move, plus and minus zoom, 0 resets, Backspace zooms out. The readings are in the table below.`}
      onKeyDown={(event) => onKey(event, control)}
      data-testid="chart"
      data-series={props.series}
      data-state={stateOf(history, points)}
      data-resolution={answer?.resolution}
      data-bucket-us={answer?.bucket_us ?? undefined}
      data-from={fromUs}
      data-to={toUs}
      data-points={points}
      data-gaps={gaps.length}
      data-anomalies-drawn={frame ? inside.length : 0}
      data-live={history.live}
      data-generation={history.generation}
    >
      <div class="chart-busy" hidden={!history.loading} />
      <div class="chart-canvas" ref={host} />
      {frame && (
        <AnomalyMarkers
          frame={frame}
          anomalies={inside}
          highlight={props.highlight}
          onHighlight={props.onHighlight}
        />
      )}
      {stateOf(history, points) === "empty" && <EmptyWindow history={history} />}
    </div>
  );
}

function usePlot(
  host: { current: HTMLDivElement | null },
  plot: { current: Plot | undefined },
  props: Props,
  setFrame: (frame: PlotFrame) => void,
): void {
  const latest = useRef(props);
  latest.current = props;
  // Run again only for this: the theme changes the canvas's colours
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const events: PlotEvents = {
      windowAsked: (window, settled) => latest.current.control.ask(window, settled),
      zoomOut: () => latest.current.control.zoomOut(),
      pointed: (index) => latest.current.onPointed(index),
      drawn: setFrame,
    };
    const made = new Plot(element, events);
    plot.current = made;
    made.show(latest.current.history.data, latest.current.control.window);
    const observer = new ResizeObserver(() => {
      made.resize(element.clientWidth, element.clientHeight);
      latest.current.onWidth(element.clientWidth);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [props.theme]);
}

function stateOf(history: ChartHistory, points: number): string {
  if (history.loading) return "loading";
  if (history.error) return "error";
  return points === 0 ? "empty" : "ready";
}

function EmptyWindow({ history }: { history: ChartHistory }) {
  const words = history.data.text.some((text) => text !== null);
  return (
    <p class="chart-empty">
      {words
        ? "These readings are words; the table below lists them."
        : "No readings in this window."}
    </p>
  );
}

function onKey(event: KeyboardEvent, control: WindowControl): void {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey)
    return;
  const { window } = control;
  const middle = (window.fromUs + window.toUs) / 2;
  const keys: Record<string, () => void> = {
    ArrowLeft: () => control.ask(pan(window, -0.1), false),
    ArrowRight: () => control.ask(pan(window, 0.1), false),
    "+": () => control.ask(zoom(window, 0.6, middle), false),
    "=": () => control.ask(zoom(window, 0.6, middle), false),
    "-": () => control.ask(zoom(window, 1 / 0.6, middle), false),
    "0": () => control.reset(),
    Backspace: () => control.zoomOut(),
  };
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}
