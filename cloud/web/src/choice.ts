/** What a reader chose in a view (search, filters, order, page), as it stands in the address. */
export type Choice = Readonly<Record<string, string>>;

export const NO_CHOICE: Choice = {};

/** Read the address behind `?`; empty values are as good as none. */
export function parseChoice(search: string): Choice {
  return Object.fromEntries([...new URLSearchParams(search)].filter(([, value]) => value !== ""));
}

/** Write a choice, from `?` on; nothing when nothing was chosen. */
export function formatChoice(choice: Choice | undefined): string {
  const given = Object.entries(choice ?? NO_CHOICE).filter(([, value]) => value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** The names in a list of a choice, joined by commas there. */
export function chosen(choice: Choice, key: string): ReadonlySet<string> {
  return new Set((choice[key] ?? "").split(",").filter(Boolean));
}

/** A list with one name more, or without it where it has it. */
export function toggled(choice: Choice, key: string, name: string): string {
  const names = new Set(chosen(choice, key));
  if (!names.delete(name)) names.add(name);
  return [...names].join(",");
}
