import { useState } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Mark, Series, Status } from "../api/types.ts";
import { ExportDetails } from "../export/export-details.tsx";
import { shownZone } from "../format/zone.ts";
import type { Draft } from "../marks/mark-form.tsx";
import { Failure } from "../parts/failure.tsx";
import { KeysHelp } from "../parts/keys-help.tsx";
import { lazily } from "../parts/lazily.tsx";
import { useMayWrite } from "../session/may-write.tsx";
import type { Theme } from "../theme.ts";
import { ChartFoot } from "./chart-foot.tsx";
import { MARK_KEY, windowKeys } from "./chart-keys.ts";
import { type ChartHand, ChartPanel } from "./chart-panel.tsx";
import { type Brush, ChartTools } from "./chart-tools.tsx";
import { Legend } from "./legend.tsx";
import { NoteBands } from "./note-bands.tsx";
import { isBars, type Panel, panelsOf } from "./panels.ts";
import { RangeBar } from "./range-bar.tsx";
import { ReadingTable } from "./reading-table.tsx";
import { Readout } from "./readout.tsx";
import { SeriesHead } from "./series-head.tsx";
import { SidePanel } from "./side-panel.tsx";
import { choiceOf, type SeriesRoute } from "./use-choice.ts";
import { type Heard, useHistories } from "./use-histories.ts";
import { type Key, useKeys } from "./use-keys.ts";
import { useNotes } from "./use-notes.ts";
import { useWindow } from "./use-window.ts";
import { type Extent, fixed } from "./window.ts";

const FACTS_MS = 10_000;

// Fetched with the first drag that marks.
const MarkForm = lazily(() => import("../marks/mark-form.tsx"));

/** One metric of one device through time, and others beside it. */
export function SeriesView({ route, theme }: { route: SeriesRoute; theme: Theme }) {
  const { gateway, device, series } = route;
  const ids = [series, ...(route.chart?.others ?? [])];
  const polled = usePolled(`series ${ids}`, FACTS_MS, async (signal) => {
    const asked = { series: ids.join(","), retired: "show" };
    const [found, status] = await Promise.all([
      getJson<{ series: Series[] }>("series", asked, signal),
      getJson<Status>("status", {}, signal),
    ]);
    serverClock.learn(status.now);
    shownZone.learn(status.zone);
    return found;
  });
  // While a further series is looked up, those that were shown stay.
  const [before, setBefore] = useState<Series[]>([]);
  if (polled.value && polled.value.series !== before) setBefore(polled.value.series);
  const known = polled.value?.series ?? before;
  const shown = ids.flatMap((id) => known.find((one) => one.id === id) ?? []);
  shownZone.choose(route.chart?.zone ?? "local");
  if (shown[0]?.id === series) return <SeriesChart route={route} theme={theme} series={shown} />;
  if (polled.error) return <Failure error={polled.error} />;
  if (!polled.value) return <p class="quiet">Loading…</p>;
  return (
    <p class="notice" data-testid="not-found">
      Device {device} of gateway {gateway} has no series {series}. It may have been erased, or the
      address was shortened.
    </p>
  );
}

interface ChartProps {
  route: SeriesRoute;
  theme: Theme;
  series: readonly Series[];
}

function SeriesChart({ route, theme, series }: ChartProps) {
  const choice = choiceOf(route);
  const { chart } = choice;
  const [widthPx, setWidthPx] = useState(0);
  const [pointedUs, setPointed] = useState<number | null>(null);
  const [highlight, setHighlight] = useState<number | undefined>();
  const [newest, setNewest] = useState<Readonly<Record<string, Heard>>>({});
  const [brush, setBrush] = useState<Brush>("zoom");
  const [draft, setDraft] = useState<Draft | undefined>();
  const [version, setVersion] = useState(0);
  const [help, setHelp] = useState(false);
  const mayWrite = useMayWrite();
  const extent = extentOf(series, newest);
  const control = useWindow(route, extent, widthPx);
  const historyOf = useHistories({
    wanted: series.map((one) => ({
      id: one.id,
      words: isBars(one),
      bars: isBars(one),
    })),
    range: route.range,
    window: control.window,
    held: control.held,
    widthPx,
    every: chart.every,
    withoutBad: chart.withoutBad,
    version: chart.withoutBad ? version : 0,
    heard: (id, one) =>
      setNewest((known) => ((known[id]?.ts ?? one.ts) > one.ts ? known : { ...known, [id]: one })),
  });
  const notes = useNotes(series.map((one) => one.id).join(","), control.window, version);
  const selected = notes.episodes.find((one) => one.id === chart.episode);
  const said = () => setVersion((n) => n + 1);
  const panels = panelsOf(series, chart.layout);
  const shown = panels
    .flatMap((panel) => panel.lines)
    .sort((a, b) => a.colour - b.colour)
    .map((line) => ({ ...line, history: historyOf(line.facts.id) }));
  const { fromUs, toUs } = control.window;
  const anomalies = shown
    .flatMap((one) => one.history.answer?.anomalies ?? [])
    .filter((one) => one.ts >= fromUs && one.ts <= toUs);
  const hand: ChartHand = {
    pointedUs,
    onPointed: setPointed,
    onBrushed: (from, to) => {
      if (brush === "zoom") control.ask(fixed(from, to), true);
      else setDraft({ fromUs: from, toUs: to });
    },
    highlight,
    onHighlight: setHighlight,
  };
  const step = (by: number) => {
    const at = notes.episodes.findIndex((one) => one.id === chart.episode);
    const place = Math.min(Math.max(at < 0 ? 0 : at + by, 0), notes.episodes.length - 1);
    const next = notes.episodes[place];
    if (next) choice.change({ episode: next.id, side: "episodes" });
  };
  const letGo = () => {
    setDraft(undefined);
    setBrush("zoom");
    if (chart.episode) choice.change({ episode: undefined });
  };
  const keys: Key[] = [
    ...windowKeys(control),
    { keys: ["n"], shown: "n", says: "the next episode of the window", act: () => step(1) },
    { keys: ["p"], shown: "p", says: "the previous episode of the window", act: () => step(-1) },
    ...(mayWrite ? [{ ...MARK_KEY, act: () => setBrush("mark") }] : []),
    { keys: ["Escape"], shown: "Esc", says: "let go of episode, mark and drag", act: letGo },
    { keys: ["?"], shown: "?", says: "these keys", act: () => setHelp(true) },
  ];
  useKeys(keys);
  const failed = shown.find((one) => one.history.error)?.history;
  const [first] = series;
  if (!first) return null;
  return (
    <article class="series">
      <SeriesHead facts={first} newest={newest[first.id]} />
      {failed?.error && <Failure error={failed.error} kept={failed.answer !== undefined} />}
      <Legend series={series} control={choice} />
      <div class="series-body">
        <section class="panel" aria-label="Chart">
          <RangeBar range={route.range} control={control} onKeys={() => setHelp(true)} />
          <ChartTools control={choice} series={series.length} brush={brush} onBrush={setBrush} />
          <Readout shown={shown} window={control.window} pointedUs={pointedUs} />
          {panels.map((panel) => (
            <ChartPanel
              key={panel.key}
              panel={panel}
              panels={panels.length}
              right={panels.some((one) => one.units.length > 1)}
              control={control}
              histories={panel.lines.map((line) => historyOf(line.facts.id))}
              anomalies={anomalies.filter((one) => speaks(panel, one.series))}
              hand={hand}
              theme={theme}
              onWidth={setWidthPx}
            >
              {(frame) => (
                <NoteBands
                  frame={frame}
                  episodes={notes.episodes.filter((one) => speaks(panel, one.series))}
                  marks={notes.marks.filter((one) => marksPanel(panel, one))}
                  draft={draft}
                  selected={chart.episode}
                  onSelect={(episode) =>
                    choice.change(episode ? { episode, side: "episodes" } : { episode })
                  }
                />
              )}
            </ChartPanel>
          ))}
          {draft && (
            <MarkForm
              key={`${draft.fromUs} ${draft.toUs}`}
              draft={draft}
              series={series}
              onMade={() => {
                setDraft(undefined);
                said();
                choice.change({ side: "marks" });
              }}
              onCancel={() => setDraft(undefined)}
            />
          )}
          <ChartFoot shown={shown} window={control.window} lastUs={extent.lastUs} />
        </section>
        <SidePanel
          choice={choice}
          control={control}
          anomalies={anomalies}
          anomaliesCut={shown.some((one) => one.history.answer?.anomaliesCut)}
          notes={notes}
          selected={selected}
          named={series.length > 1}
          hand={hand}
          onDraft={setDraft}
          onSaid={said}
        />
      </div>
      <ReadingTable shown={shown} window={control.window} />
      <ExportDetails shown={shown} window={control.window} withoutBad={chart.withoutBad} />
      <KeysHelp keys={keys} open={help} onClose={() => setHelp(false)} />
    </article>
  );
}

/** Whether a panel shows a series. */
function speaks(panel: Panel, series: string): boolean {
  return panel.lines.some(({ facts }) => facts.id === series);
}

/** Whether a mark speaks of anything in a panel. */
function marksPanel(panel: Panel, mark: Mark): boolean {
  return panel.lines.some(({ facts }) =>
    mark.series.length > 0
      ? mark.series.includes(facts.id)
      : mark.gateway === facts.gateway && (mark.device === "" || mark.device === facts.device),
  );
}

/** From the first reading of any of the series to the last of any. */
function extentOf(series: readonly Series[], newest: Readonly<Record<string, Heard>>): Extent {
  const heard = series.flatMap((one) => newest[one.id]?.ts ?? []);
  const firsts = [...series.flatMap((one) => one.first_ts ?? []), ...heard];
  const lasts = [...series.flatMap((one) => one.last_ts ?? []), ...heard];
  return {
    firstUs: firsts.length > 0 ? Math.min(...firsts) : null,
    lastUs: lasts.length > 0 ? Math.max(...lasts) : null,
  };
}
