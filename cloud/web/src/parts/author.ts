const STORED = "tidegate-author";

/** Who marked or judged last on this browser: the next form begins with the name. */
export function knownAuthor(): string {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return ""; // storage switched off: the name is typed each time
  }
}

/** Remember who it was. */
export function keepAuthor(name: string): void {
  try {
    localStorage.setItem(STORED, name);
  } catch {
    // storage switched off: the name is typed each time
  }
}
