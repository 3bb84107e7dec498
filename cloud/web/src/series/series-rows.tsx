import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { serverClock } from "../api/server-clock.ts";
import { count } from "../format/number.ts";
import { SeriesRow } from "./series-row.tsx";
import type { Found } from "./use-found.ts";
import { useRows } from "./use-rows.ts";
import { useShownSparks } from "./use-shown-sparks.ts";

/** Rows from the end at which the next ones are fetched. */
const AHEAD = 60;
/** As the style sheet has it, until a row was measured. */
const ROW_PX = 53;

/** The series found, as many rows in the document as the screen shows. */
export function SeriesRows({ found, busy }: { found: Found; busy: boolean }) {
  const { series, total, hasMore, more } = found;
  const body = useRef<HTMLTableSectionElement>(null);
  const [rowPx, setRowPx] = useState(ROW_PX);
  const rows = useRows(body, series.length, rowPx);
  const focus = useRef<number | null>(null);
  const sparks = useShownSparks(series.slice(rows.from, rows.to));
  useLayoutEffect(() => {
    const row = body.current?.querySelector("[data-at]");
    const tall = row?.getBoundingClientRect().height;
    if (tall && Math.abs(tall - rowPx) > 0.5) setRowPx(tall);
    focusRow(body.current, focus);
  });
  useEffect(() => {
    if (hasMore && rows.to > series.length - AHEAD) more();
  }, [hasMore, more, rows.to, series.length]);

  const lead = (event: KeyboardEvent) => {
    const at = Number((event.target as HTMLElement).closest<HTMLElement>("[data-at]")?.dataset.at);
    const to = Number.isNaN(at) ? undefined : ledTo(event.key, at, series.length);
    if (to === undefined) return;
    event.preventDefault();
    focus.current = to;
    bringIntoView(body.current, to, rowPx);
    focusRow(body.current, focus);
  };

  const nowUs = serverClock.nowUs();
  return (
    <>
      <div class="table-frame found-frame">
        <table
          class="found"
          aria-rowcount={(total ?? series.length) + 1}
          data-testid="series-found"
        >
          <caption class="sr">Series found; arrow keys lead from one to the next</caption>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col">Series</th>
              <th scope="col" class="num">
                Latest
              </th>
              <th scope="col" class="found-spark">
                Up to 24 h
              </th>
              <th scope="col">Last reading</th>
              <th scope="col" class="num">
                Readings
              </th>
            </tr>
          </thead>
          <tbody ref={body} onKeyDown={lead}>
            <Space px={rows.from * rowPx} />
            {series.slice(rows.from, rows.to).map((one, i) => (
              <SeriesRow
                key={one.id}
                series={one}
                at={rows.from + i}
                spark={sparks.get(one.id)}
                nowUs={nowUs}
              />
            ))}
            <Space px={(series.length - rows.to) * rowPx} />
          </tbody>
        </table>
      </div>
      <p class="quiet onward" data-testid="found-end">
        {hasMore
          ? `${count(series.length)} of ${count(total ?? 0)} fetched${busy ? ", more on the way" : ""}`
          : "That is all."}
      </p>
    </>
  );
}

/** The room of rows that are not drawn. */
function Space({ px }: { px: number }) {
  if (px <= 0) return null;
  return (
    <tr class="space">
      <td colSpan={5} style={{ height: `${px}px` }} />
    </tr>
  );
}

const PAGE = 10;

/** The row that a key leads to; undefined for keys that lead nowhere. */
function ledTo(key: string, at: number, length: number): number | undefined {
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + PAGE,
    PageUp: at - PAGE,
    Home: 0,
    End: length - 1,
  };
  const to = steps[key];
  return to === undefined ? undefined : Math.min(Math.max(to, 0), length - 1);
}

function bringIntoView(body: HTMLElement | null, at: number, rowPx: number): void {
  if (!body) return;
  const top = body.getBoundingClientRect().top + at * rowPx;
  const bottom = top + rowPx;
  if (top < rowPx) window.scrollBy(0, top - rowPx);
  else if (bottom > window.innerHeight) window.scrollBy(0, bottom - window.innerHeight + rowPx / 2);
}

/** Put the focus where a key led, once that row is there. */
function focusRow(body: HTMLElement | null, focus: { current: number | null }): void {
  if (focus.current === null) return;
  const link = body?.querySelector<HTMLElement>(`[data-at="${focus.current}"] a`);
  if (!link) return;
  link.focus({ preventScroll: true });
  focus.current = null;
}
