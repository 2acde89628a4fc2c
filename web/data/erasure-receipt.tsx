import type { AnswerOf } from "../api.ts";
import { formatDateTime, formatNumber } from "../format.ts";
import { texts } from "../texts.ts";
import { FactsTable } from "../ui/facts.tsx";

type Receipt = AnswerOf<"GET /v1/erasures/{id}">;

/** The receipt of an erasure: the data that it has found and erased, and the data that remains elsewhere. */
export function ErasureReceipt({ receipt }: { receipt: Receipt }) {
  const { erasure: words } = texts.data;
  const { stores, remains, completed_at } = receipt;
  return (
    <>
      <p>{words.completed(formatDateTime(completed_at ?? receipt.requested_at))}</p>
      <FactsTable
        title={words.stores}
        columns={words.storeColumns}
        rows={stores.map(({ name, found, erased, remaining }) => [
          name,
          ...[found, erased, remaining].map(formatNumber),
        ])}
        areNumbers
      />
      <h3>{words.remains}</h3>
      <FactsTable
        title={words.remains}
        columns={words.restColumns}
        rows={remains.map(({ name, why, until }) => [name, until ? formatDateTime(until) : words.stay, why])}
      />
      <p>
        <button type="button" onClick={() => save(receipt)}>
          {words.download}
        </button>
      </p>
      <p class="quiet">{words.check}</p>
    </>
  );
}

/** Saves the receipt as the file that `npm run receipt` checks. */
function save(receipt: Receipt): void {
  const file = new Blob([JSON.stringify(receipt, null, 2)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `memocha-erasure-${receipt.id}.json`;
  link.click();
  // Wait until the browser has begun the download.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
