import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

/** An attribute value in DynamoDB's JSON: an object with one member, whose name is the type. */
type AttributeJson = Record<string, unknown>;
export type ItemJson = Record<string, AttributeJson>;

/** A stream record in Lambda's format. */
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

/** A record as an engine's GetRecords returns it. Engines differ in the casing of `userIdentity`. */
export interface RawRecord extends Omit<StreamRecord, "eventSourceARN" | "userIdentity"> {
  userIdentity?: { type?: string; principalId?: string; Type?: string; PrincipalId?: string };
}

/** Converts an engine's record to Lambda's format: the ARN, its region, the id and the casing of `userIdentity`. */
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

/** Whether the write of a record changed nothing. The embedded engine writes such records, DynamoDB does not. */
export function changesNothing({ eventName, dynamodb: { OldImage, NewImage } }: RawRecord): boolean {
  if (eventName !== "MODIFY" || !OldImage || !NewImage) return false;
  const names = Object.keys(NewImage);
  return (
    names.length === Object.keys(OldImage).length &&
    names.every((name) => isDeepStrictEqual(sorted(OldImage[name]), sorted(NewImage[name])))
  );
}

/** A copy with sorted sets, so that sets with the same members are equal. */
function sorted(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    const isSet = key === "SS" || key === "NS" || key === "BS";
    return isSet ? [...value].sort() : value.map((entry) => sorted(entry));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, sorted(entry, name)]));
}
