import type { MessageRecord } from "../session/message.ts";
import type { TurnEvent } from "./turn.ts";

/**
 * An answer that grows while any number of readers follow it, each from the beginning and at its own pace. Writing never waits for
 * readers, so a client that disconnects does not stop the answer.
 */
export interface LiveAnswer {
  append(text: string): void;
  end(message: MessageRecord): void;
  fail(error: unknown): void;
  text(): string;
  events(): AsyncGenerator<TurnEvent>;
}

export function createLiveAnswer(): LiveAnswer {
  const pieces: string[] = [];
  let outcome: { message: MessageRecord } | { error: unknown } | undefined;
  let nextChange: PromiseWithResolvers<void> = Promise.withResolvers();
  const notifyReaders = () => {
    nextChange.resolve();
    nextChange = Promise.withResolvers();
  };

  return {
    append(text) {
      pieces.push(text);
      notifyReaders();
    },
    end(message) {
      outcome = { message };
      notifyReaders();
    },
    fail(error) {
      outcome = { error };
      notifyReaders();
    },
    text: () => pieces.join(""),
    async *events() {
      let next = 0;
      for (;;) {
        for (; next < pieces.length; next++) yield { kind: "text", text: pieces[next] ?? "" };
        if (outcome) break;
        await nextChange.promise;
      }
      if ("error" in outcome) throw outcome.error;
      yield { kind: "end", message: outcome.message };
    },
  };
}
