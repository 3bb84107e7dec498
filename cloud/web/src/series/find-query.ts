import type { Params } from "../api/client.ts";
import { type Choice, chosen } from "../choice.ts";

export const KINDS = ["gauge", "counter", "state"] as const;

/** What staleness means: a parameter of the search and its seconds. */
export const STALENESS: readonly (readonly [key: string, name: string])[] = [
  ["", "heard at any time"],
  ["heard-60", "heard in the last minute"],
  ["heard-3600", "heard in the last hour"],
  ["heard-86400", "heard in the last day"],
  ["silent-3600", "silent for an hour"],
  ["silent-86400", "silent for a day"],
  ["silent-604800", "silent for a week"],
  ["silent-2592000", "silent for 30 days"],
];

/** The fields beside the search, by their key in the address. */
export const FIELDS: readonly (readonly [key: string, name: string, placeholder: string])[] = [
  ["match", "Pattern", "*/pump-*/temp?"],
  ["labels", "Label", "room:hall*"],
  ["unit", "Unit", "°C"],
  ["gateway", "Gateway", "greenhouse-3"],
  ["device", "Device", "pump-1"],
];

/** The search that an address asks for, as the server understands it. */
export function findParams(choice: Choice): Params {
  const params: Params = { q: choice.q };
  for (const [key] of FIELDS) params[key] = choice[key];
  const kinds = KINDS.filter((kind) => chosen(choice, "kind").has(kind));
  if (kinds.length > 0 && kinds.length < KINDS.length) params.kind = kinds.join(",");
  const stale = /^(heard|silent)-(\d{1,9})$/.exec(choice.stale ?? "");
  if (stale) params[`${stale[1]}_s`] = stale[2];
  if (choice.retired === "only" || choice.retired === "show") params.retired = choice.retired;
  return params;
}

/** How many fields beside the search are in use. */
export function fieldsInUse(choice: Choice): number {
  const keys = [...FIELDS.map(([key]) => key), "kind", "stale", "retired"];
  return keys.filter((key) => choice[key]).length;
}
