import { readDocument } from "../body.ts";
import { deleteConfiguration, getConfiguration, requireBucket, setConfiguration, versioningOf } from "../buckets.ts";
import { notImplemented, S3Error, type S3ErrorCode } from "../error.ts";
import { readRules } from "../lifecycle-rules.ts";
import type { Operation } from "../operation.ts";
import { parseXml, renderXml } from "../xml.ts";

/** A document that a bucket keeps and gives back as it was. */
interface Kind {
  /** The root element. */
  root: string;
  /** The error when there is none; without it an empty document is the answer. */
  missing?: S3ErrorCode;
  /** The status of a PUT. @default 200 */
  putStatus?: number;
}

const LIFECYCLE_DEFAULT = "x-amz-transition-default-minimum-object-size";

/**
 * Kept, but without effect here: who may do what is not the business of a server with one user, and its files are as
 * encrypted as the disk. Lifecycle and versioning, which have an effect, follow below.
 */
export const kinds = {
  tagging: { root: "Tagging", missing: "NoSuchTagSet", putStatus: 204 },
  cors: { root: "CORSConfiguration", missing: "NoSuchCORSConfiguration" },
  encryption: {
    root: "ServerSideEncryptionConfiguration",
    missing: "ServerSideEncryptionConfigurationNotFoundError",
  },
  publicAccessBlock: { root: "PublicAccessBlockConfiguration", missing: "NoSuchPublicAccessBlockConfiguration" },
  ownershipControls: { root: "OwnershipControls", missing: "OwnershipControlsNotFoundError" },
  logging: { root: "BucketLoggingStatus" },
} as const satisfies Record<string, Kind>;

export function getDocument(name: keyof typeof kinds): Operation {
  const kind: Kind = kinds[name];
  return async (store, request) => {
    const body = getConfiguration(store, requireBucket(store, request.bucket), name);
    if (body === undefined && kind.missing) throw new S3Error(kind.missing, `The bucket has no ${kind.root}.`);
    return { status: 200, body: body ?? renderXml(kind.root, []) };
  };
}

export function putDocument(name: keyof typeof kinds): Operation {
  const kind: Kind = kinds[name];
  return async (store, request, signed) => {
    const bucket = requireBucket(store, request.bucket);
    const body = await readDocument(request, signed);
    parseXml(body, kind.root);
    await setConfiguration(store, bucket, name, body);
    return { status: kind.putStatus ?? 200 };
  };
}

export function deleteDocument(name: string): Operation {
  return async (store, request) => {
    await deleteConfiguration(store, requireBucket(store, request.bucket), name);
    return { status: 204 };
  };
}

/** GetBucketVersioning. */
export const getBucketVersioning: Operation = async (store, request) => {
  const status = versioningOf(store, requireBucket(store, request.bucket));
  return { status: 200, body: renderXml("VersioningConfiguration", [["Status", status]]) };
};

/** PutBucketVersioning. */
export const putBucketVersioning: Operation = async (store, request, signed) => {
  const bucket = requireBucket(store, request.bucket);
  const document = parseXml(await readDocument(request, signed), "VersioningConfiguration");
  if (document.text("MfaDelete") === "Enabled") throw notImplemented("MFA delete");
  const status = document.text("Status") ?? "";
  if (!["Enabled", "Suspended"].includes(status)) {
    throw new S3Error("MalformedXML", "The versioning status is Enabled or Suspended.");
  }
  await setConfiguration(store, bucket, "versioning", status);
  return { status: 200 };
};

/** GetBucketLifecycleConfiguration. */
export const getBucketLifecycle: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const body = getConfiguration(store, bucket, "lifecycle");
  if (body === undefined) {
    throw new S3Error("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
  }
  return { status: 200, headers: { [LIFECYCLE_DEFAULT]: getConfiguration(store, bucket, "lifecycle-minimum") }, body };
};

/** PutBucketLifecycleConfiguration. Rules that could not be carried out are refused. */
export const putBucketLifecycle: Operation = async (store, request, signed) => {
  const bucket = requireBucket(store, request.bucket);
  const body = await readDocument(request, signed);
  readRules(body);
  const minimum = request.header(LIFECYCLE_DEFAULT) ?? "all_storage_classes_128K";
  if (!["all_storage_classes_128K", "varies_by_storage_class"].includes(minimum)) {
    throw new S3Error("InvalidArgument", `Unknown ${LIFECYCLE_DEFAULT}: ${minimum}`);
  }
  await setConfiguration(store, bucket, "lifecycle-minimum", minimum);
  await setConfiguration(store, bucket, "lifecycle", body);
  return { status: 200, headers: { [LIFECYCLE_DEFAULT]: minimum } };
};

/** GetBucketPolicy. */
export const getBucketPolicy: Operation = async (store, request) => {
  const body = getConfiguration(store, requireBucket(store, request.bucket), "policy");
  if (body === undefined) throw new S3Error("NoSuchBucketPolicy", "The bucket policy does not exist");
  return { status: 200, headers: { "content-type": "application/json" }, body };
};

/** PutBucketPolicy. */
export const putBucketPolicy: Operation = async (store, request, signed) => {
  const bucket = requireBucket(store, request.bucket);
  const body = await readDocument(request, signed);
  try {
    JSON.parse(body);
  } catch {
    throw new S3Error("MalformedPolicy", "This policy contains invalid Json");
  }
  await setConfiguration(store, bucket, "policy", body);
  return { status: 204 };
};
