import type { AnswerPiece } from "../llm/model.ts";
import type { MessageRecord } from "../session/message.ts";
import type { MessageBody } from "../session/parts.ts";
import { bodyOfPieces } from "./answer-body.ts";
import type { TurnEvent } from "./turn.ts";

/**
 * An answer that grows while any number of readers follow it, each from the beginning and at its own pace. Writing never waits for
 * readers, so a client that disconnects does not stop the answer.
 */
interface LiveAnswer {
  append(piece: AnswerPiece): void;
  end(message: MessageRecord): void;
  fail(error: unknown): void;
  /** What the answer is so far. */
  body(): MessageBody;
  events(): AsyncGenerator<TurnEvent>;
}

export function createLiveAnswer(): LiveAnswer {
  const pieces: AnswerPiece[] = [];
  let outcome: { message: MessageRecord } | { error: unknown } | undefined;
  let nextChange: PromiseWithResolvers<void> = Promise.withResolvers();
  const notifyReaders = () => {
    nextChange.resolve();
    nextChange = Promise.withResolvers();
  };

  return {
    append(piece) {
      pieces.push(piece);
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
    body: () => bodyOfPieces(pieces),
    async *events() {
      let next = 0;
      for (;;) {
        for (let piece = pieces[next]; piece; piece = pieces[++next]) yield piece;
        if (outcome) break;
        await nextChange.promise;
      }
      if ("error" in outcome) throw outcome.error;
      yield { kind: "end", message: outcome.message };
    },
  };
}
