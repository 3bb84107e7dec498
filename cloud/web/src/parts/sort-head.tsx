import type { Order } from "./sorting.ts";

interface Props {
  name: string;
  /** The key that the head sorts by. */
  by: string;
  order: Order;
  onSort(order: string): void;
  num?: boolean;
}

/** The head of a column that sorts by it; once more turns it round. */
export function SortHead({ name, by, order, onSort, num }: Props) {
  const is = order.key === by;
  return (
    <th
      scope="col"
      class={num ? "num" : undefined}
      aria-sort={is ? (order.rises ? "ascending" : "descending") : "none"}
    >
      <button
        type="button"
        class="sort-head"
        data-testid={`sort-${by}`}
        onClick={() => onSort(is && !order.turned ? `-${by}` : by)}
      >
        {name}
        <span aria-hidden="true" class="sort-sign">
          {is ? (order.rises ? "▲" : "▼") : ""}
        </span>
      </button>
    </th>
  );
}
