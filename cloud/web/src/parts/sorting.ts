/** A way to order rows: as it is first of use (the worst, the largest, the newest on top). */
export interface Column<T> {
  key: string;
  name: string;
  /** Whether its own order is from small to large. */
  rises: boolean;
  /** What it sorts by; null stands last, whichever way round. */
  of(row: T): number | string | null;
}

export interface Order {
  key: string;
  /** Against the column's own order. */
  turned: boolean;
  /** From small to large. */
  rises: boolean;
}

/** The order that a choice names (`backlog`, or `-backlog` the other way round), else the first. */
export function orderOf<T>(columns: readonly Column<T>[], text: string | undefined): Order {
  const turned = text?.startsWith("-") ?? false;
  const found = columns.find((one) => one.key === (turned ? text?.slice(1) : text));
  const column = found ?? (columns[0] as Column<T>);
  const isTurned = turned && found !== undefined;
  return { key: column.key, turned: isTurned, rises: column.rises !== isTurned };
}

/** Rows in an order; those that are level stay as they were. */
export function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], order: Order): T[] {
  const column = columns.find((one) => one.key === order.key);
  if (!column) return [...rows];
  const sign = order.rises ? 1 : -1;
  return rows.toSorted((a, b) => {
    const [x, y] = [column.of(a), column.of(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    if (typeof x === "string" && typeof y === "string") {
      return sign * x.localeCompare(y, "en", { numeric: true });
    }
    return x === y ? 0 : x < y ? -sign : sign;
  });
}
