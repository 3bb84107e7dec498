interface Props {
  /** What is paged, in words: `blocks`. */
  what: string;
  /** Where the shown page begins; none is the newest. */
  cursor: string | undefined;
  /** Where the page behind it begins; null where there is none. */
  next: string | null | undefined;
  onGo(cursor: string | undefined): void;
}

/** Steps through a list whose newest rows come first; nothing where one page has all. */
export function Older({ what, cursor, next, onGo }: Props) {
  if (!cursor && !next) return null;
  return (
    <nav class="pager" aria-label={`Pages of ${what}`}>
      {cursor && (
        <button type="button" class="wide" data-testid="newest" onClick={() => onGo(undefined)}>
          Newest
        </button>
      )}
      {next && (
        <button type="button" class="wide" data-testid="older" onClick={() => onGo(next)}>
          Older
        </button>
      )}
    </nav>
  );
}
