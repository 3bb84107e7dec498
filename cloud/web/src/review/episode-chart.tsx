import { useState } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { Episode, Series } from "../api/types.ts";
import { ChartFoot } from "../chart/chart-foot.tsx";
import { windowKeys } from "../chart/chart-keys.ts";
import { ChartPanel } from "../chart/chart-panel.tsx";
import { NoteBands } from "../chart/note-bands.tsx";
import { isBars, panelsOf } from "../chart/panels.ts";
import { ReadingTable } from "../chart/reading-table.tsx";
import { Readout } from "../chart/readout.tsx";
import { useHistories } from "../chart/use-histories.ts";
import { useKeys } from "../chart/use-keys.ts";
import { useNotes } from "../chart/use-notes.ts";
import type { WindowControl } from "../chart/use-window.ts";
import { fixed, type Window, zoom } from "../chart/window.ts";
import { MINUTE_US } from "../format/time.ts";
import { Failure } from "../parts/failure.tsx";
import type { Theme } from "../theme.ts";

const FACTS_MS = 60_000;

interface Props {
  episode: Episode;
  theme: Theme;
  /** Rises with each verdict. */
  version: number;
}

/** An episode in what was measured around it. Its key is the episode's id. */
export function EpisodeChart({ episode, theme, version }: Props) {
  const polled = usePolled(`series ${episode.series}`, FACTS_MS, (signal) =>
    getJson<{ series: Series[] }>("series", { series: episode.series, retired: "show" }, signal),
  );
  const facts = polled.value?.series[0];
  if (facts) return <Drawn episode={episode} theme={theme} version={version} facts={facts} />;
  if (polled.error) return <Failure error={polled.error} />;
  return <p class="quiet">{polled.value ? "Its series was erased." : "Loading…"}</p>;
}

function Drawn({ episode, theme, version, facts }: Props & { facts: Series }) {
  const control = useOwnWindow(around(episode));
  const [widthPx, setWidthPx] = useState(0);
  const [pointedUs, setPointed] = useState<number | null>(null);
  const [highlight, setHighlight] = useState<number | undefined>();
  const { window } = control;
  const historyOf = useHistories({
    wanted: [{ id: facts.id, words: isBars(facts), bars: isBars(facts) }],
    range: { kind: "fixed", fromUs: window.fromUs, toUs: window.toUs },
    window,
    held: control.held,
    widthPx,
    every: false,
    withoutBad: false,
    version: 0,
    heard: () => {},
  });
  const notes = useNotes(facts.id, window, version);
  useKeys(windowKeys(control));
  const [panel] = panelsOf([facts], "compare");
  const [line] = panel?.lines ?? [];
  if (!panel || !line) return null;
  const shown = [{ ...line, history: historyOf(facts.id) }];
  return (
    <>
      <section class="panel" aria-label="Chart">
        <Readout shown={shown} window={window} pointedUs={pointedUs} />
        <ChartPanel
          panel={panel}
          panels={1}
          right={false}
          control={control}
          histories={shown.map((one) => one.history)}
          anomalies={shown[0]?.history.answer?.anomalies ?? []}
          hand={{
            pointedUs,
            onPointed: setPointed,
            onBrushed: (from, to) => control.ask(fixed(from, to), true),
            highlight,
            onHighlight: setHighlight,
          }}
          theme={theme}
          onWidth={setWidthPx}
        >
          {(frame) => (
            <NoteBands
              frame={frame}
              episodes={notes.episodes}
              marks={notes.marks}
              selected={episode.id}
              onSelect={() => {}}
            />
          )}
        </ChartPanel>
        <ChartFoot shown={shown} window={window} lastUs={facts.last_ts} />
      </section>
      <ReadingTable shown={shown} window={window} />
    </>
  );
}

/** The window that shows an episode with as much before and behind it, a minute at least. */
export function around(episode: Pick<Episode, "from" | "to">): Window {
  const rim = Math.max((episode.to - episode.from) * 1.5, MINUTE_US);
  return fixed(episode.from - rim, episode.to + rim);
}

/** A window that no address holds: another episode begins with its own. */
function useOwnWindow(first: Window): WindowControl {
  const [window, setWindow] = useState(first);
  return {
    window,
    held: false,
    ask: setWindow,
    choose: () => setWindow(first),
    zoomOut: () => setWindow(zoom(window, 2, (window.fromUs + window.toUs) / 2)),
    reset: () => setWindow(first),
  };
}
