/** What a hand does to the time axis; shares are of the plot's width, 0 at its left edge. */
export interface GestureTarget {
  /** Scale the span about a point: factor below one shows less time. */
  zoom(factor: number, share: number): void;
  /** Move by a share of the width: positive is later. */
  pan(share: number): void;
}

const WHEEL_ZOOM = 0.0016;
const LINE_PX = 16;

/** Wheel zooms, sideways wheel and shift-wheel pan; returns the function that unbinds. */
export function bindWheel(over: HTMLElement, target: GestureTarget): () => void {
  const onWheel = (event: WheelEvent) => {
    event.preventDefault();
    const box = over.getBoundingClientRect();
    const scale = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      target.pan((sideways * scale) / box.width);
    } else {
      const share = (event.clientX - box.left) / box.width;
      target.zoom(Math.exp(event.deltaY * scale * WHEEL_ZOOM), share);
    }
  };
  over.addEventListener("wheel", onWheel, { passive: false });
  return () => over.removeEventListener("wheel", onWheel);
}

/** One finger pans, two pinch. The style sheet leaves vertical scrolling to the browser. */
export function bindTouch(over: HTMLElement, target: GestureTarget): () => void {
  const fingers = new Map<number, number>();
  const spread = () => {
    const [a = 0, b = 0] = [...fingers.values()];
    return { middle: (a + b) / 2, width: Math.max(Math.abs(a - b), 8) };
  };
  const onDown = (event: PointerEvent) => {
    if (event.pointerType === "touch") fingers.set(event.pointerId, event.clientX);
  };
  const onMove = (event: PointerEvent) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const box = over.getBoundingClientRect();
    const old = spread();
    fingers.set(event.pointerId, event.clientX);
    if (fingers.size === 1) target.pan((before - event.clientX) / box.width);
    if (fingers.size !== 2) return;
    const now = spread();
    target.zoom(old.width / now.width, (now.middle - box.left) / box.width);
  };
  const onUp = (event: PointerEvent) => fingers.delete(event.pointerId);
  over.addEventListener("pointerdown", onDown);
  over.addEventListener("pointermove", onMove);
  over.addEventListener("pointerup", onUp);
  over.addEventListener("pointercancel", onUp);
  return () => {
    over.removeEventListener("pointerdown", onDown);
    over.removeEventListener("pointermove", onMove);
    over.removeEventListener("pointerup", onUp);
    over.removeEventListener("pointercancel", onUp);
  };
}
