import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Rows, rowsAt } from "./rows-at.ts";

/** Which rows of a long list lie on the screen; all are `rowPx` high and begin at the list's top. */
export function useRows(list: RefObject<HTMLElement | null>, count: number, rowPx: number): Rows {
  const [rows, setRows] = useState<Rows>({ from: 0, to: Math.min(count, 40) });
  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      const top = list.current?.getBoundingClientRect().top ?? 0;
      const next = rowsAt(-top, window.innerHeight, count, rowPx);
      setRows((old) => (old.from === next.from && old.to === next.to ? old : next));
    };
    const soon = () => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    window.addEventListener("scroll", soon, { passive: true });
    window.addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("scroll", soon);
      window.removeEventListener("resize", soon);
    };
  }, [list, count, rowPx]);
  return { from: Math.min(rows.from, count), to: Math.min(rows.to, count) };
}
