import { useState } from "preact/hooks";
import { type AnswerOf, type ApiError, asApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatBytes, formatDateTime, formatNumber } from "../format.ts";
import { texts } from "../texts.ts";
import { Facts } from "../ui/facts.tsx";
import { Failure } from "../ui/failure.tsx";
import { useJob } from "./use-job.ts";

const COUNTS = ["sessions", "messages", "memories", "events", "files"] as const;

type Export = AnswerOf<"GET /v1/exports/{id}">;

/** Exports all data of the person as a zip. */
export function DataExport() {
  const { api, announce } = useApp();
  const { exports: words } = texts.data;
  const read = (id: string, signal?: AbortSignal) => api.call("GET /v1/exports/{id}", { params: { id }, signal });
  const { job, isRunning, failure, heading, begin } = useJob<Export>("export", {
    begin: (headers) => api.call("POST /v1/exports", { headers }),
    read,
    onOver: ({ status }) => announce(status === "ready" ? words.ready : words.failed),
  });
  return (
    <section class="card">
      <h2 ref={heading} tabIndex={-1}>
        {words.title}
      </h2>
      <p>{words.intro}</p>
      {isRunning && (
        <>
          <progress aria-label={words.title} />
          <p>{words.running}</p>
        </>
      )}
      {!isRunning && job?.status === "ready" && <Ready job={job} read={read} />}
      {!isRunning && job?.status === "failed" && (
        <div class="failure">
          <p>{words.failed}</p>
          <button type="button" onClick={begin}>
            {texts.errors.again}
          </button>
        </div>
      )}
      {failure && <Failure error={failure.error} onAgain={failure.again} />}
      {!isRunning && !failure && job?.status !== "failed" && (
        <button type="button" onClick={begin}>
          {job ? words.another : words.begin}
        </button>
      )}
    </section>
  );
}

function Ready({ job, read }: { job: Export; read: (id: string) => Promise<Export> }) {
  const [error, setError] = useState<ApiError>();
  const { exports: words } = texts.data;
  const { url, bytes = 0, sha256 = "", counts, expires_at } = job;
  const download = async () => {
    setError(undefined);
    try {
      // Read the export again, because the URL of the last answer is valid for only one hour.
      const fresh = await read(job.id);
      if (fresh.url) location.assign(fresh.url);
    } catch (error) {
      setError(asApiError(error));
    }
  };
  return (
    <>
      <Facts
        rows={[
          ...COUNTS.map((name) => [words.counts[name], formatNumber(counts?.[name] ?? 0)] as const),
          [words.size, formatBytes(bytes)],
          [words.checksum, sha256],
          [words.until, formatDateTime(expires_at)],
        ]}
      />
      <p>
        <a
          href={url ?? ""}
          onClick={(event) => {
            event.preventDefault();
            void download();
          }}
        >
          {words.download}
        </a>
      </p>
      {error && <Failure error={error} onAgain={() => void download()} />}
    </>
  );
}
