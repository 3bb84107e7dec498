import { useState } from "preact/hooks";
import type { Episode } from "../api/types.ts";
import { byName } from "../format/natural.ts";
import { Switch } from "../parts/switch.tsx";
import { ZoneSwitch } from "../parts/zone-switch.tsx";
import { type NameField, useKnownNames } from "./known-names.ts";
import { isScore, type ReviewChoice } from "./review-address.ts";

interface Props {
  choice: ReviewChoice;
  /** What is listed now: its names are offered. */
  rows: readonly Episode[];
  onChange(part: Partial<ReviewChoice>): void;
}

const FIELDS = [
  ["gateway", "Gateway"],
  ["device", "Device"],
  ["metric", "Metric"],
  ["model", "Model"],
] as const;

/** Which episodes are listed, and in which order. */
export function ReviewFilter({ choice, rows, onChange }: Props) {
  const [field, setField] = useState<NameField | undefined>();
  const names = useKnownNames(field, choice);
  return (
    <search class="filter" aria-label="Which episodes">
      <div class="filter-switches">
        <Switch
          label="State"
          id="state"
          options={[
            ["open", "Not reviewed"],
            ["confirmed", "Confirmed"],
            ["dismissed", "Dismissed"],
            ["all", "All"],
          ]}
          chosen={choice.state}
          onChoose={(state) => onChange({ state })}
        />
        <Switch
          label="Order"
          id="order"
          options={[
            ["newest", "Newest first"],
            ["peak", "Highest score first"],
          ]}
          chosen={choice.order}
          onChoose={(order) => onChange({ order })}
        />
        <ZoneSwitch zone={choice.zone} onChoose={(zone) => onChange({ zone })} />
      </div>
      <div class="filter-fields">
        {FIELDS.map(([name, label]) => (
          <label key={name}>
            {label}
            <input
              type="search"
              list={`known-${name}`}
              value={choice[name]}
              maxLength={255}
              data-testid={`filter-${name}`}
              autocomplete="off"
              onFocus={() => setField(name === "model" ? undefined : name)}
              onInput={(event) => onChange({ [name]: event.currentTarget.value })}
            />
            <datalist id={`known-${name}`}>
              {offered(name === field ? names : [], rows, name).map((known) => (
                <option key={known} value={known} />
              ))}
            </datalist>
          </label>
        ))}
        <label>
          Score at least
          <input
            type="search"
            inputMode="decimal"
            value={choice.score}
            data-testid="filter-score"
            onInput={(event) => {
              const score = event.currentTarget.value.trim();
              if (score === "" || isScore(score)) onChange({ score });
            }}
          />
        </label>
      </div>
    </search>
  );
}

/** What the list has of a field and, beyond it, all names there are. */
function offered(
  names: readonly string[],
  rows: readonly Episode[],
  field: (typeof FIELDS)[number][0],
): string[] {
  return [...new Set([...rows.map((one) => one[field]), ...names])].sort(byName);
}
