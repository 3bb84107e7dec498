import { useState } from "preact/hooks";
import { count, measure } from "../format/number.ts";
import { instant } from "../format/time.ts";
import type { PlotData } from "./plot-data.ts";
import { bucketName } from "./readout.tsx";
import type { Window } from "./window.ts";

const ROWS_MAX = 200;

interface Props {
  data: PlotData;
  window: Window;
  unit: string;
  /** Open from the start: a series of words has no drawing. */
  atOnce: boolean;
}

/** The drawing as a table, newest first, for whoever cannot see a canvas or wants the figures. */
export function ReadingTable({ data, window, unit, atOnce }: Props) {
  const [open, setOpen] = useState(atOnce);
  return (
    <details
      class="reading-table"
      data-testid="reading-table"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>Readings in this window as a table</summary>
      {open && <Rows data={data} window={window} unit={unit} />}
    </details>
  );
}

function Rows({ data, window, unit }: { data: PlotData; window: Window; unit: string }) {
  const within = data.x
    .map((ms, i) => ({ us: ms * 1000, i }))
    .filter(({ us, i }) => us >= window.fromUs && us <= window.toUs && said(data, i));
  const rows = within.slice(-ROWS_MAX).reverse();
  const raw = data.bucketUs === null;
  return (
    <table>
      <caption>
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
