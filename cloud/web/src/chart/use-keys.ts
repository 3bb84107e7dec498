import { useEffect, useRef } from "preact/hooks";

/** A key of the page, or several that do the same. */
export interface Key {
  keys: readonly string[];
  /** As the list of keys shows it. */
  shown: string;
  says: string;
  act(): void;
}

/** Keys work wherever the focus is, except where it writes or chooses something. */
const TAKEN = "input, textarea, select, dialog, [contenteditable]";

/** Listen to keys while the view is there. Together with Ctrl, Alt or Meta they are the browser's. */
export function useKeys(keys: readonly Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target instanceof Element && event.target.closest(TAKEN)) return;
      const key = latest.current.find((one) => one.keys.includes(event.key));
      if (!key) return;
      event.preventDefault();
      key.act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
