import assert from "node:assert/strict";
import { test } from "node:test";
import { type Asked, addressOf, curlOf, pythonOf, widthName } from "../src/export/asked.ts";

const BASE = "http://127.0.0.1:8460/";
const asked: Asked = {
  series: ["00000000000000a1", "00000000000000b2"],
  resolution: "3m",
  fromUs: 1_777_629_600_000_000,
  toUs: 1_777_633_200_500_000,
  withoutBad: true,
};

test("a width is written in its largest whole unit", () => {
  assert.equal(widthName(180_000_000), "3m");
  assert.equal(widthName(7_200_000_000), "2h");
  assert.equal(widthName(86_400_000_000), "1d");
  assert.equal(widthName(90_000_000), "90s");
  assert.equal(widthName(250_000), "250ms");
});

test("an address asks for the very buckets, range and readings that are shown", () => {
  const query = new URL(addressOf(asked, "parquet", BASE)).searchParams;
  assert.deepEqual(Object.fromEntries(query), {
    series: "00000000000000a1,00000000000000b2",
    from: "2026-05-01T10:00:00Z",
    to: "2026-05-01T11:00:00.5Z",
    bucket: "3m",
    bad: "exclude",
    format: "parquet",
  });
  const raw = new URL(addressOf({ ...asked, resolution: "raw" }, "csv", BASE)).searchParams;
  assert.deepEqual([raw.get("resolution"), raw.get("bucket")], ["raw", null]);
  assert.match(addressOf({ ...asked, resolution: "states" }, "csv", BASE), /\/api\/v1\/states\?/);
});

test("a shell takes the command as it stands", () => {
  const command = curlOf(asked, "csv", "https://plant.example/tide/");
  assert.match(
    command,
    /^curl -f -o tidegate-3m\.csv \\\n {2}'https:\/\/plant\.example\/tide\/api\/v1\/history\?[^' ]+'$/,
  );
});

test("the program names the same series, range and resolution", () => {
  assert.equal(
    pythonOf(asked, BASE),
    `import tidegate

cloud = tidegate.connect("http://127.0.0.1:8460")
frame = cloud.history(
    ["00000000000000a1", "00000000000000b2"],
    start="2026-05-01T10:00:00Z",
    end="2026-05-01T11:00:00.5Z",
    resolution="3m",
    bad="exclude",
).to_polars()`,
  );
});
