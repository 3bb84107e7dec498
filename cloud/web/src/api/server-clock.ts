/** The server's clock as seen from here: a browser's own may be minutes or years off. */
export class ServerClock {
  private offsetUs = 0;

  /** Learn from an answer that carried the server's `now`. */
  learn(nowUs: number): void {
    this.offsetUs = nowUs - Date.now() * 1000;
  }

  /** Microseconds since 1970 by the server's clock. */
  nowUs(): number {
    return Date.now() * 1000 + this.offsetUs;
  }
}

/** One page talks to one server. */
export const serverClock = new ServerClock();
