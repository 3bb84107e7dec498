import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Anomaly } from "../api/types.ts";
import { shownZone } from "../format/zone.ts";
import type { Theme } from "../theme.ts";
import { AnomalyMarkers } from "./anomaly-markers.tsx";
import type { Panel } from "./panels.ts";
import { Plot, type PlotEvents, type PlotFrame } from "./plot.ts";
import { pointsWithin } from "./plot-data.ts";
import type { PlotShape } from "./plot-options.ts";
import type { ChartHistory } from "./use-histories.ts";
import type { WindowControl } from "./use-window.ts";

/** What a hand on one of a chart's plots does to all of them. */
export interface ChartHand {
  /** Where the cursor stands, in whichever plot. */
  pointedUs: number | null;
  onPointed(us: number | null): void;
  onBrushed(fromUs: number, toUs: number): void;
  highlight: number | undefined;
  onHighlight(ts: number | undefined): void;
}

interface Props {
  panel: Panel;
  /** Plots of the chart; several begin at the same place. */
  panels: number;
  /** Some plot of the chart has an axis on the right. */
  right: boolean;
  control: WindowControl;
  histories: ChartHistory[];
  anomalies: Anomaly[];
  hand: ChartHand;
  theme: Theme;
  onWidth(widthPx: number): void;
  children?: (frame: PlotFrame) => preact.ComponentChildren;
}

/** The axes of plots below each other, wide enough for seven characters. */
const AXIS_PX = 70;

/** One plot: canvas, anomaly markers above it, gestures. */
export function ChartPanel(props: Props) {
  const { panel, control, histories, anomalies, hand } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const [frame, setFrame] = useState<PlotFrame | undefined>();
  usePlot(host, plot, props, setFrame);
  // Before the browser paints: a hand that moves on begins from what is drawn
  useLayoutEffect(() => plot.current?.show(contentOf(props), control.window));
  useEffect(() => plot.current?.point(hand.pointedUs), [hand.pointedUs]);

  const { fromUs, toUs } = control.window;
  const answer = histories[0]?.answer?.history;
  const inside = anomalies.filter((one) => one.ts >= fromUs && one.ts <= toUs);
  const gaps = histories.flatMap((one) => one.data.gaps).filter(([a, b]) => b > fromUs && a < toUs);
  const points = histories.reduce((n, one) => n + pointsWithin(one.data, fromUs, toUs), 0);
  const state = stateOf(histories, points);
  const names = panel.lines.map(({ facts }) => `${facts.device} ${facts.metric}`).join(", ");
  return (
    // biome-ignore lint/a11y/useSemanticElements: a drawing with keys of its own is a group
    <div
      class={panel.bars ? "chart bars" : "chart"}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever moves it by keys wants to see which
      tabIndex={0}
      aria-label={`${names}, chart. Arrow keys move, plus and minus zoom, question mark lists the keys. The readings are in the table below.`}
      data-testid="chart"
      data-series={panel.lines.map(({ facts }) => facts.id).join(",")}
      data-state={state}
      data-resolution={answer?.resolution}
      data-bucket-us={answer?.bucket_us ?? undefined}
      data-from={fromUs}
      data-to={toUs}
      data-points={points}
      data-gaps={gaps.length}
      data-stretches={panel.bars ? (histories[0]?.stretches.length ?? 0) : undefined}
      data-cursor-us={hand.pointedUs ?? undefined}
      data-anomalies-drawn={frame ? inside.length : 0}
      data-live={histories[0]?.live}
      data-generation={histories.reduce((n, one) => n + one.generation, 0)}
    >
      <div class="chart-busy" hidden={!histories.some((one) => one.loading)} />
      <div class="chart-canvas" ref={host} />
      {frame && props.children?.(frame)}
      {frame && !panel.bars && (
        <AnomalyMarkers
          frame={frame}
          anomalies={inside}
          highlight={hand.highlight}
          onHighlight={hand.onHighlight}
        />
      )}
      {state === "empty" && <p class="chart-empty">No readings in this window.</p>}
    </div>
  );
}

function contentOf({ histories }: Props) {
  return {
    lines: histories.map((one) => one.data),
    stretches: histories[0]?.stretches ?? [],
  };
}

function shapeOf({ panel, panels, right }: Props): PlotShape {
  return {
    lines: panel.lines.map(({ facts, colour, axis }) => ({ id: facts.id, colour, axis })),
    bars: panel.bars,
    axisPx: panels > 1 ? AXIS_PX : undefined,
    right,
    zone: shownZone.zone,
  };
}

function usePlot(
  host: { current: HTMLDivElement | null },
  plot: { current: Plot | undefined },
  props: Props,
  setFrame: (frame: PlotFrame) => void,
): void {
  const latest = useRef(props);
  latest.current = props;
  const { zone, ...shape } = shapeOf(props);
  const made = `${zone.name} ${JSON.stringify(shape)}`;
  // Run again only for these: they change the canvas's colours, or what it is made of
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const events: PlotEvents = {
      windowAsked: (window, settled) => latest.current.control.ask(window, settled),
      brushed: (fromUs, toUs) => latest.current.hand.onBrushed(fromUs, toUs),
      zoomOut: () => latest.current.control.zoomOut(),
      pointed: (us) => latest.current.hand.onPointed(us),
      drawn: setFrame,
    };
    const drawing = new Plot(element, shapeOf(latest.current), events);
    plot.current = drawing;
    drawing.show(contentOf(latest.current), latest.current.control.window);
    const observer = new ResizeObserver(() => {
      drawing.resize(element.clientWidth, element.clientHeight);
      latest.current.onWidth(element.clientWidth);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawing.destroy();
      plot.current = undefined;
    };
  }, [props.theme, made]);
}

function stateOf(histories: readonly ChartHistory[], points: number): string {
  if (histories.some((one) => one.loading)) return "loading";
  if (histories.some((one) => one.error)) return "error";
  const stretches = histories.some((one) => one.stretches.length > 0);
  return points === 0 && !stretches ? "empty" : "ready";
}
