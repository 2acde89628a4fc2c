import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

/** An attribute in DynamoDB's JSON: one member, named after its type. */
export type AttributeJson = Record<string, unknown>;
export type ItemJson = Record<string, AttributeJson>;

/** A record as Lambda hands it to functions. */
export interface StreamRecord {
  eventID: string;
  eventName: "INSERT" | "MODIFY" | "REMOVE";
  eventVersion: string;
  eventSource: "aws:dynamodb";
  awsRegion: string;
  eventSourceARN: string;
  dynamodb: {
    ApproximateCreationDateTime: number;
    Keys: ItemJson;
    NewImage?: ItemJson;
    OldImage?: ItemJson;
    SequenceNumber: string;
    SizeBytes: number;
    StreamViewType: string;
  };
  userIdentity?: { type: string; principalId: string };
}

/** A record in the raw JSON of an engine's GetRecords; the casing of `userIdentity` differs between engines. */
export interface RawRecord extends Omit<StreamRecord, "eventSourceARN" | "userIdentity"> {
  userIdentity?: { type?: string; principalId?: string; Type?: string; PrincipalId?: string };
}

/** Makes Lambda's record of an engine's: the ARN and its region, an id of Lambda's shape, the identity's casing. */
export function toLambdaRecord(raw: RawRecord, streamArn: string): StreamRecord {
  const { userIdentity, ...record } = raw;
  const type = userIdentity?.type ?? userIdentity?.Type;
  const principalId = userIdentity?.principalId ?? userIdentity?.PrincipalId;
  return {
    ...record,
    eventID: createHash("md5").update(`${streamArn}#${raw.dynamodb.SequenceNumber}`).digest("hex"),
    eventSource: "aws:dynamodb",
    awsRegion: streamArn.split(":")[3] ?? "",
    ...(type !== undefined && principalId !== undefined && { userIdentity: { type, principalId } }),
    eventSourceARN: streamArn,
  };
}

/** Whether a record tells of no change: the engine writes one for a put of what is there already, DynamoDB does not. */
export function changesNothing({ eventName, dynamodb: { OldImage, NewImage } }: RawRecord): boolean {
  if (eventName !== "MODIFY" || !OldImage || !NewImage) return false;
  return isDeepStrictEqual(sorted(OldImage), sorted(NewImage));
}

/** A copy whose sets are in one order: sets with the same members are the same. */
function sorted(item: ItemJson): unknown {
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) {
      const isSet = key === "SS" || key === "NS" || key === "BS";
      return isSet ? [...value].sort() : value.map((entry) => walk(entry, ""));
    }
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, walk(entry, name)]));
  };
  return Object.fromEntries(Object.entries(item).map(([name, value]) => [name, walk(value, "")]));
}
