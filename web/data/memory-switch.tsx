import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { texts } from "../texts.ts";
import { Failure } from "../ui/failure.tsx";

/** The switch for memory: whether new messages become memories. */
export function MemorySwitch() {
  const { api, announce } = useApp();
  const [isOn, setOn] = useState<boolean>();
  const [failure, setFailure] = useState<{ error: ApiError; again: () => void }>();
  /** The last request. A change waits for the previous one, so that the last choice is stored last. */
  const last = useRef(Promise.resolve());
  const { memorySwitch: words } = texts.data;
  const load = useCallback(() => {
    setFailure(undefined);
    api.call("GET /v1/settings", {}).then(
      ({ memory }) => setOn(memory),
      (error: unknown) => setFailure({ error: asApiError(error), again: load }),
    );
  }, [api]);
  useEffect(load, [load]);

  const choose = (memory: boolean) => {
    setOn(memory);
    setFailure(undefined);
    last.current = last.current
      .then(() => api.call("PATCH /v1/settings", { body: { memory } }))
      .then(
        () => announce(memory ? words.on : words.off),
        (error: unknown) => {
          setOn(!memory);
          setFailure({ error: asApiError(error), again: () => choose(memory) });
        },
      );
  };
  return (
    <section class="card">
      <h2>{words.title}</h2>
      {isOn !== undefined && (
        <>
          <label class="switch">
            <input type="checkbox" checked={isOn} onChange={({ currentTarget }) => choose(currentTarget.checked)} />
            {words.label}
          </label>
          <p class="quiet">{isOn ? words.on : words.off}</p>
        </>
      )}
      {isOn === undefined && !failure && <div class="skeleton line" aria-busy="true" />}
      {failure && <Failure error={failure.error} onAgain={failure.again} />}
      <p>
        <a href="#/memory">{words.see}</a>
      </p>
    </section>
  );
}
