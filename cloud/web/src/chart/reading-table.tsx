import { useState } from "preact/hooks";
import { count, measure } from "../format/number.ts";
import { instant } from "../format/time.ts";
import type { PlotData } from "./plot-data.ts";
import { bucketName, type Shown } from "./readout.tsx";
import type { Window } from "./window.ts";

const ROWS_MAX = 200;

interface Props {
  shown: readonly Shown[];
  window: Window;
}

/** The drawing as tables, newest first, for whoever cannot see a canvas or wants the figures. */
export function ReadingTable({ shown, window }: Props) {
  // Words have no line to look at, so that theirs is open from the start.
  const words = shown.length === 1 && shown[0]?.facts.last_text !== null;
  const [open, setOpen] = useState(words);
  return (
    <details
      class="reading-table"
      data-testid="reading-table"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>Readings in this window as a table</summary>
      {open &&
        shown.map((one) => (
          <Rows key={one.facts.id} shown={one} window={window} named={shown.length > 1} />
        ))}
    </details>
  );
}

interface RowsProps {
  shown: Shown;
  window: Window;
  /** Several tables: each says of which series it is. */
  named: boolean;
}

function Rows({ shown, window, named }: RowsProps) {
  const { data } = shown.history;
  const { unit, device, metric } = shown.facts;
  const within = data.x
    .map((ms, i) => ({ us: ms * 1000, i }))
    .filter(({ us, i }) => us >= window.fromUs && us <= window.toUs && said(data, i));
  const rows = within.slice(-ROWS_MAX).reverse();
  const raw = data.bucketUs === null;
  return (
    <table>
      <caption>
        {named && `${device} · ${metric}. `}
        {within.length > ROWS_MAX
          ? `The newest ${ROWS_MAX} of ${count(within.length)}; zoom in for earlier ones.`
          : `${count(within.length)} ${raw ? "readings" : "buckets"}.`}{" "}
        {unit && `Unit: ${unit}.`}
      </caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {(raw ? ["Value"] : ["Mean", "Min", "Max", "Readings"]).map((name) => (
            <th scope="col" class="num" key={name}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ us, i }) => (
          <tr key={us}>
            <th scope="row">
              {raw
                ? instant(us, 1000)
                : bucketName(us - (data.bucketUs ?? 0) / 2, data.bucketUs ?? 0)}
            </th>
            <td class="num">{data.text[i] ?? measure(data.mid[i])}</td>
            {!raw && <td class="num">{measure(data.min[i])}</td>}
            {!raw && <td class="num">{measure(data.max[i])}</td>}
            {!raw && <td class="num">{count(data.count[i] ?? 0)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function said(data: PlotData, i: number): boolean {
  return data.mid[i] != null || data.text[i] != null;
}
