import { ChangeMessageVisibilityCommand, type Message } from "@aws-sdk/client-sqs";
import { findDeployment } from "../../../infra/cli/find-deployment.ts";
import { functionLabel, readDeadLetter } from "../../../infra/cli/redrive/dead-letter.ts";
import { readRange } from "../../../infra/cli/redrive/read-range.ts";
import { receiveAll, redriveQueue } from "../../../infra/cli/redrive/redrive-queue.ts";
import { HEADER, sessionKey } from "../../../shared/dynamodb/keys.ts";
import type { Call } from "./caller.ts";
import { markOf, userIdOf } from "./find-marks.ts";
import type { Operator } from "./operator.ts";

/** The beginning of every metadata, which the damaged message lacks. An error of `JSON.parse` quotes what follows. */
const CUT = '{"';

/** Seconds until the session expires. Its message must be damaged before. */
const TTL = 20;

const sessionOf = (user: number) => markOf(user, "session of a dead letter");

/**
 * Makes two jobs fail for a user until they have no retries left: the archiver, because a message of an expired session is damaged, and a
 * job that an operator starts with a wrong event, which names a file of the user.
 */
export async function failForGood(user: number, call: Call, operator: Operator): Promise<void> {
  const id = sessionOf(user);
  const mark = (field: string) => markOf(user, `dead letter: ${field}`);
  await call("POST", "/v1/sessions", { id, title: mark("title"), ttl_seconds: TTL });
  const message = { role: "user", content: `I was ${mark("content")}.`, metadata: { [mark("key")]: mark("value") } };
  await call("POST", `/v1/sessions/${id}/messages`, message);
  await operator.setMessages(userIdOf(user), id, "metadata", (json) => json.slice(CUT.length));
  await operator.start("jobs-lake", { rebuild: [`files/${userIdOf(user)}/${mark("event")}`] });
}

/** Mends the message of a user who has not been erased. */
export const mend = (user: number, operator: Operator): Promise<void> =>
  operator.setMessages(userIdOf(user), sessionOf(user), "metadata", (json) => CUT + json);

/** Whether the session of a user is in the archive, with all that was said. */
export async function isArchived(user: number, call: Call): Promise<boolean> {
  const route = `/v1/sessions/${sessionOf(user)}`;
  const { status, body } = await call("GET", route, undefined, { status: 404 });
  if (status === 404 || body.status !== "archived") return false;
  const said = JSON.stringify((await call("GET", `${route}/messages`)).body.data);
  return ["content", "key", "value"].every((field) => said.includes(markOf(user, `dead letter: ${field}`)));
}

/** The users whom a dead letter of an event names, and those whose expired session is in the range of one of the archiver. */
export async function readDeadLetters(data: string, users: readonly number[]) {
  const deployment = await findDeployment({ data });
  const { sqs, streams, outputs } = deployment;
  const QueueUrl = outputs.DeadLetterQueueUrl;
  const messages: Message[] = [];
  for await (const message of receiveAll(sqs, QueueUrl, 0)) messages.push(message);
  const expired = new Set<string>();
  for (const message of messages) {
    const { ReceiptHandle } = message;
    await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
    const letter = readDeadLetter(message);
    if (letter?.kind !== "stream" || functionLabel(letter.functionArn) !== "jobs-archive") continue;
    for (const { eventName, dynamodb } of (await readRange(streams, letter.range)).records) {
      if (eventName === "REMOVE" && dynamodb.Keys.sk?.S === HEADER) expired.add(String(dynamodb.Keys.pk?.S));
    }
  }
  for (const client of [sqs, streams, deployment.lambda]) client.destroy();
  const named = (user: number) => messages.some(({ Body = "" }) => Body.includes(markOf(user, "dead letter: event")));
  return {
    letters: messages.length,
    named: users.filter(named),
    unarchived: users.filter((user) => expired.has(sessionKey(userIdOf(user), sessionOf(user)))),
  };
}

/** Runs `npm run redrive` on the host. Returns how many dead letters are left. */
export async function redrive(data: string, write: (line: string) => void): Promise<number> {
  const deployment = await findDeployment({ data });
  try {
    return await redriveQueue(deployment, { list: false, write });
  } finally {
    for (const client of [deployment.sqs, deployment.streams, deployment.lambda]) client.destroy();
  }
}
