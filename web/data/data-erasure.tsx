import { useState } from "preact/hooks";
import type { AnswerOf } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatDateTime } from "../format.ts";
import { forgetDrafts } from "../preferences.ts";
import { texts } from "../texts.ts";
import { Confirm } from "../ui/dialog.tsx";
import { Failure } from "../ui/failure.tsx";
import { ErasureReceipt } from "./erasure-receipt.tsx";
import { useJob } from "./use-job.ts";

/** Erases everything of the person, and shows the receipt. */
export function DataErasure({ onErased }: { onErased: () => void }) {
  const { api, identity, sessions, announce } = useApp();
  const [isAsking, setAsking] = useState(false);
  const { erasure: words } = texts.data;
  const { job, isRunning, failure, heading, begin } = useJob<AnswerOf<"GET /v1/erasures/{id}">>("erasure", {
    async begin(headers) {
      const receipt = await api.call("POST /v1/erasures", { body: {}, headers });
      forgetDrafts(identity.user);
      return receipt;
    },
    read: (id, signal) => api.call("GET /v1/erasures/{id}", { params: { id }, signal }),
    onOver() {
      announce(words.complete);
      sessions.reload();
      onErased();
    },
  });
  return (
    <section class="card">
      <h2 ref={heading} tabIndex={-1}>
        {words.title}
      </h2>
      {isRunning && (
        <>
          <progress aria-label={words.title} />
          <p>{words.running}</p>
          {job && <p class="quiet">{words.since(formatDateTime(job.requested_at))}</p>}
        </>
      )}
      {!isRunning && job && <ErasureReceipt receipt={job} />}
      {failure && <Failure error={failure.error} onAgain={failure.again} />}
      {!isRunning && (
        <>
          {job ? (
            <p>{words.again}</p>
          ) : (
            <>
              <p>{words.erases}</p>
              <p>{words.stays}</p>
            </>
          )}
          <p>{words.meanwhile}</p>
          <button type="button" class="danger" onClick={() => setAsking(true)}>
            {words.begin}
          </button>
        </>
      )}
      {isAsking && (
        <Confirm
          title={words.begin}
          text={words.ask}
          word={words.word}
          yes={words.begin}
          no={words.cancel}
          onYes={() => {
            setAsking(false);
            begin();
          }}
          onNo={() => setAsking(false)}
        />
      )}
    </section>
  );
}
