/** Does a thing at most once in a while: the first poke starts the wait, later ones ride along. */
export class Throttle {
  private timer = 0;
  private readonly act: () => void;

  constructor(act: () => void) {
    this.act = act;
  }

  poke(afterMs: number): void {
    if (this.timer) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.act();
    }, afterMs);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
