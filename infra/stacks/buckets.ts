import { Duration } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type CorsRule,
  HttpMethods,
  type IBucket,
  type LifecycleRule,
  ObjectOwnership,
  StorageClass,
} from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import type { Policy } from "../../shared/retention/periods.ts";
import type { RetentionRule } from "../../shared/retention/rule.ts";
import type { Stage } from "../stage.ts";
import { acknowledge } from "./nag.ts";

interface BucketsProps {
  stage: Stage;
  key: IKey | undefined;
  policy: Policy;
}

/** The bucket of the archive, which is the record of truth, and the bucket of Athena's query results. */
export class Buckets extends Construct {
  readonly archive: Bucket;
  readonly queryResults: Bucket;

  constructor(scope: Construct, id: string, { stage, key, policy }: BucketsProps) {
    super(scope, id);
    // Dev has no access logs, because S3 delivers them hours later, also into a bucket that `cdk destroy` has emptied.
    const accessLogs = stage.durable ? accessLogsBucket(this, stage, policy) : undefined;
    const logging = (prefix: string): BucketProps =>
      accessLogs ? { serverAccessLogsBucket: accessLogs as IBucket, serverAccessLogsPrefix: prefix } : {};

    this.archive = new Bucket(this, "Archive", {
      ...secured(stage, key),
      ...logging("archive/"),
      // Keep old versions as long as the table's point-in-time recovery. After that, deleted data cannot be restored.
      versioned: true,
      lifecycleRules: archiveRules(policy),
      cors: [browserUploads],
    });
    this.queryResults = new Bucket(this, "QueryResults", {
      ...secured(stage, key),
      ...logging("query-results/"),
      lifecycleRules: [
        { id: "results", expiration: Duration.seconds(policy.upkeep.queryResults), ...abandonedUploads },
      ],
    });

    if (!accessLogs) {
      const reason =
        "Dev holds no real data, and late log deliveries would keep `cdk destroy` from emptying the log bucket.";
      acknowledge(this.archive, { S1: reason });
      acknowledge(this.queryResults, { S1: reason });
    }
  }
}

/**
 * Lets pages upload and download files with presigned URLs. It allows every origin, because the signature in the URL is the permission: S3
 * refuses requests without one, and CORS would not stop clients that are not browsers.
 */
const browserUploads: CorsRule = {
  allowedOrigins: ["*"],
  allowedMethods: [HttpMethods.PUT, HttpMethods.GET],
  allowedHeaders: ["content-type", "if-none-match", "x-amz-checksum-sha256"],
  maxAge: 3600,
};

const abandonedUploads: LifecycleRule = { abortIncompleteMultipartUploadAfter: Duration.days(1) };

/** Lifecycle rules for the objects of the retention policy, and for old versions. */
function archiveRules({ retention, upkeep }: Policy): LifecycleRule[] {
  const rows: [string, RetentionRule][] = Object.entries(retention);
  const byPrefix = rows.flatMap(([id, { place, seconds, coldAfterSeconds, versionSeconds }]): LifecycleRule[] =>
    "object" in place && (seconds !== null || coldAfterSeconds !== undefined)
      ? [
          {
            id,
            prefix: place.object,
            ...(seconds === null ? {} : { expiration: Duration.seconds(seconds) }),
            ...(versionSeconds === undefined ? {} : { noncurrentVersionExpiration: Duration.seconds(versionSeconds) }),
            ...(coldAfterSeconds === undefined
              ? {}
              : {
                  transitions: [
                    {
                      storageClass: StorageClass.GLACIER_INSTANT_RETRIEVAL,
                      transitionAfter: Duration.seconds(coldAfterSeconds),
                    },
                  ],
                }),
          },
        ]
      : [],
  );
  return [
    ...byPrefix,
    {
      id: "upkeep",
      noncurrentVersionExpiration: Duration.seconds(upkeep.recovery),
      expiredObjectDeleteMarker: true,
      ...abandonedUploads,
    },
  ];
}

function accessLogsBucket(scope: Construct, stage: Stage, { upkeep }: Policy): Bucket {
  return new Bucket(scope, "AccessLogs", {
    // S3 delivers access logs only to a bucket with S3-managed encryption.
    ...secured(stage, undefined),
    lifecycleRules: [{ id: "access-logs", expiration: Duration.seconds(upkeep.accessLogs), ...abandonedUploads }],
  });
}

/** Properties of every bucket: private, encrypted, TLS only, kept or destroyed with the stage. */
function secured(stage: Stage, key: IKey | undefined): BucketProps {
  return {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    ...(key
      ? { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }
      : { encryption: BucketEncryption.S3_MANAGED }),
    removalPolicy: stage.removalPolicy,
    autoDeleteObjects: !stage.durable,
  };
}
