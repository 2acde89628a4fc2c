import { useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { Confirm } from "../ui/dialog.tsx";
import { explain } from "../ui/failure.tsx";
import { operationTexts } from "./operation-texts.ts";

/** Archives sessions that have been idle for long. Counts them first. */
export function Cleanup() {
  const { api, notify } = useApp();
  const [days, setDays] = useState(30);
  const [count, setCount] = useState<number>();
  const { cleanup } = operationTexts;
  const run = async (preview: "true" | "false") => {
    try {
      const { expired } = await api.call("POST /admin/cleanup-sessions", { query: { days, preview } });
      if (preview === "true") return setCount(expired);
      setCount(undefined);
      notify({ text: cleanup.done(expired) });
    } catch (error) {
      notify({ text: explain(error) });
    }
  };
  return (
    <section class="card">
      <h2>{cleanup.title}</h2>
      <p class="quiet">{cleanup.intro}</p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          void run("true");
        }}
      >
        <label>
          {cleanup.days}{" "}
          <input
            type="number"
            min={0}
            max={3650}
            required
            value={days}
            onInput={({ currentTarget }) => setDays(currentTarget.valueAsNumber)}
          />
        </label>
        <button type="submit">{cleanup.preview}</button>
      </form>
      {count !== undefined && (
        <Confirm
          title={cleanup.title}
          text={cleanup.ask(count, days)}
          yes={cleanup.yes}
          no={cleanup.no}
          onYes={() => void run("false")}
          onNo={() => setCount(undefined)}
        />
      )}
    </section>
  );
}
