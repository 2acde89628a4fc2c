import type { Credentials } from "../lambda/environment.ts";
import type { Listening } from "../listen.ts";
import { startJsonService } from "../start-service.ts";
import { withoutFillers } from "./complete-expired.ts";
import { changesNothing, type RawRecord } from "./stream-record.ts";
import { createStreamsClient } from "./streams-client.ts";

/**
 * Starts a read-only DynamoDB Streams endpoint for SDK clients in front of the engine. It writes `userIdentity` in AWS's casing and
 * omits records of writes that changed nothing. It accepts any credentials.
 * @param credentials The engine's credentials. @default the engine accepts any
 */
export function startStreamsProxy(endpoint: string, credentials?: Credentials): Promise<Listening> {
  const client = createStreamsClient(endpoint, credentials);
  const pass = (operation: string) => (input: unknown) => client<object>(operation, input as Record<string, unknown>);
  return startJsonService({
    name: "DynamoDB Streams",
    operations: {
      ListStreams: pass("ListStreams"),
      DescribeStream: pass("DescribeStream"),
      GetShardIterator: pass("GetShardIterator"),
      async GetRecords(input) {
        const page = (await pass("GetRecords")(input)) as { Records?: RawRecord[] };
        const kept = page.Records?.map(withoutFillers).filter((record) => !changesNothing(record));
        return { ...page, Records: kept?.map(inAwsCasing) };
      },
    },
  });
}

function inAwsCasing({ userIdentity, ...record }: RawRecord): object {
  if (!userIdentity) return record;
  const Type = userIdentity.type ?? userIdentity.Type;
  return { ...record, userIdentity: { Type, PrincipalId: userIdentity.principalId ?? userIdentity.PrincipalId } };
}
