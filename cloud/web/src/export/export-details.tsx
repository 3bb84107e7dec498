import { useState } from "preact/hooks";
import type { Shown } from "../chart/readout.tsx";
import type { Window } from "../chart/window.ts";
import { lazily } from "../parts/lazily.tsx";

interface Props {
  shown: readonly Shown[];
  window: Window;
  withoutBad: boolean;
}

/** Fetched when it is opened: most looks at a chart end without a file. */
const ExportPanel = lazily(() => import("./export-panel.tsx"));

/** The way to files and commands for what the chart shows. */
export function ExportDetails(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <details
      class="reading-table"
      data-testid="export"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>Export what is shown: file, curl, Python</summary>
      {open && <ExportPanel {...props} />}
    </details>
  );
}
