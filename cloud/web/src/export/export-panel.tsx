import { useState } from "preact/hooks";
import type { Shown } from "../chart/readout.tsx";
import type { Window } from "../chart/window.ts";
import { Switch } from "../parts/switch.tsx";
import { type Asked, addressOf, askedOf, curlOf, type Form, fileName, pythonOf } from "./asked.ts";
import { Snippet } from "./snippet.tsx";

interface Props {
  shown: readonly Shown[];
  window: Window;
  withoutBad: boolean;
}

/** What the chart shows as files, and the commands that fetch the very same. */
export default function ExportPanel({ shown, window, withoutBad }: Props) {
  const [form, setForm] = useState<Form>("csv");
  const base = new URL(".", location.href).href;
  const questions = askedOf(shown, window, withoutBad);
  return (
    <div class="export" data-testid="export-panel">
      <Switch
        label="File format"
        id="form"
        options={[
          ["csv", "CSV"],
          ["parquet", "Parquet"],
          ["arrow", "Arrow"],
          ["json", "JSON"],
        ]}
        chosen={form}
        onChoose={(chosen) => setForm(chosen)}
      />
      {questions.map((asked) => (
        <Question key={asked.resolution} asked={asked} form={form} base={base} />
      ))}
      <p class="quiet">
        Times in files are UTC. Where people sign in, put an API token into{" "}
        <code>TIDEGATE_API_TOKEN</code>: Python reads it, and for curl add{" "}
        <code>-H "authorization: Bearer $TIDEGATE_API_TOKEN"</code>.
      </p>
    </div>
  );
}

interface QuestionProps {
  asked: Asked;
  form: Form;
  base: string;
}

function Question({ asked, form, base }: QuestionProps) {
  return (
    <section class="export-part" aria-label={`Export of ${nameOf(asked)}`}>
      <h3>
        {nameOf(asked)}{" "}
        <a
          class="small-key"
          href={addressOf(asked, form, base)}
          download={fileName(asked, form)}
          data-testid="download"
        >
          Download
        </a>
      </h3>
      <Snippet label="curl" text={curlOf(asked, form, base)} id="curl" />
      <Snippet label="Python" text={pythonOf(asked, base)} id="python" />
      {asked.resolution === "raw" && (
        <p class="quiet">
          A file holds up to 1,000,000 readings; the answer's <code>link</code> header names the
          rest, and Python fetches it by itself.
        </p>
      )}
    </section>
  );
}

function nameOf({ resolution, series }: Asked): string {
  const many = series.length > 1 ? ` of ${series.length} series` : "";
  if (resolution === "raw") return `Every reading${many}`;
  return resolution === "states" ? `States${many}` : `Buckets of ${resolution}${many}`;
}
