import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { Notice } from "../api/types.ts";
import { NO_CHOICE } from "../choice.ts";
import { count } from "../format/number.ts";
import { capital } from "../format/words.ts";
import { choose } from "../navigation.ts";
import { Failure } from "../parts/failure.tsx";
import { Older } from "../parts/older.tsx";
import { Picker } from "../parts/picker.tsx";
import type { AlertsRoute } from "./alerts-view.tsx";
import { NoticeTable } from "./notice-table.tsx";

const EVERY_MS = 5_000;
const PAGE_ROWS = 10;
const STATES = ["waiting", "delivered", "dropped"] as const;

interface Answer {
  notices: Notice[];
  dropped: { channel: string; reason: string; count: number }[];
  next: string | null;
  now: number;
}

/** The log of messages: whom each was for, whether it arrived, and why not. */
export function Messages({ route }: { route: AlertsRoute }) {
  const choice = route.choice ?? NO_CHOICE;
  const state = STATES.find((one) => one === choice.state);
  const asked = { state, channel: choice.channel, cursor: choice.older, limit: PAGE_ROWS };
  const { value, error } = usePolled(`notices ${JSON.stringify(asked)}`, EVERY_MS, (signal) =>
    getJson<Answer>("notices", asked, signal),
  );
  return (
    <section class="part" aria-labelledby="messages-head">
      <header class="part-head">
        <h2 id="messages-head">Messages</h2>
        <Picker
          label="State"
          value={state ?? ""}
          options={[["", "All"], ...STATES.map((one) => [one, capital(one)] as const)]}
          onPick={(one) => choose(route, { state: one, older: undefined })}
          testid="notice-state"
        />
      </header>
      {error && <Failure error={error} kept={value !== undefined} />}
      {value?.dropped.map((one) => (
        <p key={`${one.channel} ${one.reason}`} class="hot" data-testid="dropped">
          Dropped: {count(one.count)} of {one.channel || "all channels"}, {one.reason}
        </p>
      ))}
      {value?.notices.length === 0 && (
        <p class="quiet" data-testid="no-notices">
          {state ? `None is ${state}.` : "None yet."} What begins and ends above is sent to each
          channel under <code>[notify.channels]</code> in <code>cloud.toml</code>;{" "}
          <code>tidegate-cloud notify test</code> tries them.
        </p>
      )}
      {value !== undefined && value.notices.length > 0 && (
        <NoticeTable rows={value.notices} nowUs={value.now} />
      )}
      <Older
        what="messages"
        cursor={choice.older}
        next={value?.next}
        onGo={(older) => choose(route, { older })}
      />
    </section>
  );
}
