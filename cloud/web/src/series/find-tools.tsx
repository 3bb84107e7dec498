import { useState } from "preact/hooks";
import { chosen, NO_CHOICE, toggled } from "../choice.ts";
import { choose } from "../navigation.ts";
import { Chips } from "../parts/chips.tsx";
import { Picker } from "../parts/picker.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import type { Route } from "../route.ts";
import { FIELDS, fieldsInUse, KINDS, STALENESS } from "./find-query.ts";

type FindRoute = Extract<Route, { view: "find" }>;

const RETIRED: readonly (readonly [string, string])[] = [
  ["", "not shown"],
  ["show", "shown too"],
  ["only", "shown alone"],
];

/** What series are searched by; all of it is in the address. */
export function FindTools({ route }: { route: FindRoute }) {
  const choice = route.choice ?? NO_CHOICE;
  const inUse = fieldsInUse(choice);
  const [open, setOpen] = useState(inUse > 0);
  return (
    <search class="tools-frame">
      <div class="tools">
        <SearchBox
          label="Search"
          placeholder="gateway, device, metric or label"
          value={choice.q ?? ""}
          onSearch={(q) => choose(route, { q }, "replace")}
          main
          testid="series-search"
        />
        <button
          type="button"
          class="button"
          aria-expanded={open}
          aria-controls="more-fields"
          data-testid="more-fields"
          onClick={() => setOpen(!open)}
        >
          {inUse ? `Filters: ${inUse} in use` : "Filters"}
        </button>
        {(inUse > 0 || choice.q) && (
          <button
            type="button"
            class="button"
            data-testid="clear"
            onClick={() => choose(route, Object.fromEntries(ALL.map((key) => [key, undefined])))}
          >
            Clear
          </button>
        )}
      </div>
      <div class="tools" id="more-fields" hidden={!open}>
        {FIELDS.map(([key, name, placeholder]) => (
          <SearchBox
            key={key}
            label={name}
            placeholder={placeholder}
            value={choice[key] ?? ""}
            onSearch={(text) => choose(route, { [key]: text }, "replace")}
            testid={`field-${key}`}
          />
        ))}
        <Chips
          legend="Kind"
          chips={KINDS.map((kind) => ({ key: kind, name: kind }))}
          on={chosen(choice, "kind")}
          toggle={(kind) => choose(route, { kind: toggled(choice, "kind", kind) })}
        />
        <Picker
          label="Last reading"
          value={choice.stale ?? ""}
          options={STALENESS}
          onPick={(stale) => choose(route, { stale })}
          testid="field-stale"
        />
        <Picker
          label="Retired series"
          value={choice.retired ?? ""}
          options={RETIRED}
          onPick={(retired) => choose(route, { retired })}
          testid="field-retired"
        />
      </div>
    </search>
  );
}

const ALL = ["q", ...FIELDS.map(([key]) => key), "kind", "stale", "retired"];
