import { CfnOutput, Stack, type StackProps, Validations } from "aws-cdk-lib";
import {
  AttributeType,
  BillingMode,
  type CfnTable,
  ProjectionType,
  StreamViewType,
  Table,
  TableEncryption,
} from "aws-cdk-lib/aws-dynamodb";
import { Key } from "aws-cdk-lib/aws-kms";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import {
  audit,
  auditOutbox,
  conversations,
  exportTable,
  memoryVectorIndexes,
  metrics,
  type TableSpec,
  type VectorIndexSpec,
} from "../../shared/dynamodb/tables.ts";
import { DAY } from "../../shared/retention/rule.ts";
import { type Options, vectorIndexesOf } from "../stage.ts";
import { Buckets } from "./buckets.ts";
import { addCatalog } from "./catalog.ts";
import { UserPoolIdentity } from "./identity.ts";
import { acknowledge } from "./nag.ts";

interface DataProps extends StackProps {
  options: Options;
}

/** The stateful resources: tables, buckets, the lake's catalog, the user pool. */
export class DataStack extends Stack {
  readonly table: Table;
  readonly metrics: Table;
  /** Notes of requests, and the audit records that one job makes from them. */
  readonly auditOutbox: Table;
  readonly audit: Table;
  readonly exportTable: Table;
  readonly buckets: Buckets;
  readonly key: Key | undefined;
  /** The key of the users' hashes in the lake. */
  readonly lakeKey: Secret;
  /** The key that signs receipts of erasures. */
  readonly privacyKey: Secret;
  /** The issuer and audience of the tokens that the API accepts. */
  readonly oidc: { issuer: string; audience: string };
  /** The user pool, unless the deployment has another issuer. */
  readonly identity: UserPoolIdentity | undefined;

  constructor(scope: Construct, id: string, props: DataProps) {
    const { options } = props;
    super(scope, id, { ...props, terminationProtection: options.stage.durable });

    this.key = options.cmk
      ? new Key(this, "Key", {
          description: "Memocha: table and buckets",
          enableKeyRotation: true,
          removalPolicy: options.stage.removalPolicy,
        })
      : undefined;
    this.table = this.tableOf(
      "Conversations",
      { ...conversations, vectorIndexes: memoryVectorIndexes(vectorIndexesOf(options)) },
      options,
    );
    this.metrics = this.tableOf("Metrics", metrics, options);
    this.auditOutbox = this.tableOf("AuditOutbox", auditOutbox, options);
    this.audit = this.tableOf("Audit", audit, options);
    this.exportTable = this.tableOf("Exports", exportTable, options);
    this.buckets = new Buckets(this, "Buckets", { stage: options.stage, key: this.key, policy: options.policy });
    addCatalog(this, { options, buckets: this.buckets, key: this.key });
    this.lakeKey = this.secretOf("LakeKey", options, {
      description: "Memocha: key of the hashes that stand for users in the lake",
      reason: "A rotated key would change the hash of every user in the lake.",
    });
    this.privacyKey = this.secretOf("PrivacyKey", options, {
      description: "Memocha: key that signs receipts of erasures, and hashes the users in them",
      reason: "A rotated key would make users unable to find their receipts.",
    });
    this.identity = options.oidc ? undefined : this.userPool(options);
    this.oidc = options.oidc ?? {
      issuer: this.identity?.pool.userPoolProviderUrl ?? "",
      audience: this.identity?.audience ?? "",
    };

    if (Object.keys(options.periods).length > 0) {
      new CfnOutput(this, "RetentionPeriods", { value: JSON.stringify(options.periods), description: "Seconds" });
    }
    new CfnOutput(this, "ConversationsTableName", { value: this.table.tableName });
    new CfnOutput(this, "MetricsTableName", { value: this.metrics.tableName });
    new CfnOutput(this, "ArchiveBucketName", { value: this.buckets.archive.bucketName });
  }

  private tableOf(id: string, spec: TableSpec, { stage, policy }: Options): Table {
    const table = new Table(this, id, {
      partitionKey: { name: spec.partitionKey, type: AttributeType.STRING },
      sortKey: { name: spec.sortKey, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      ...(spec.streamed ? { stream: StreamViewType.NEW_AND_OLD_IMAGES } : {}),
      timeToLiveAttribute: spec.ttl,
      // The default key belongs to DynamoDB and is free. The AWS-managed key in KMS is not.
      ...(this.key ? { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey: this.key } : {}),
      pointInTimeRecoverySpecification: stage.durable
        ? { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: policy.upkeep.recovery / DAY }
        : { pointInTimeRecoveryEnabled: false },
      deletionProtection: stage.durable,
      removalPolicy: stage.removalPolicy,
    });
    for (const [indexName, index] of Object.entries(spec.indexes)) {
      table.addGlobalSecondaryIndex({
        indexName,
        partitionKey: { name: index.partitionKey, type: AttributeType.STRING },
        sortKey: { name: index.sortKey, type: AttributeType.STRING },
        ...(index.nonKeyAttributes
          ? { projectionType: ProjectionType.INCLUDE, nonKeyAttributes: [...index.nonKeyAttributes] }
          : { projectionType: ProjectionType.KEYS_ONLY }),
      });
    }
    if (spec.vectorIndexes) {
      addVectorIndexes(table, spec.vectorIndexes);
      Validations.of(table).acknowledge({
        id: "CloudFormation-Validate::E3039",
        reason:
          "The validator counts the keys of secondary indexes only; a vector index's search schema needs its attributes defined too.",
      });
    }
    if (!stage.durable) {
      acknowledge(table, { DDB3: "Dev tables are destroyed with their stack; prod has point-in-time recovery." });
    }
    return table;
  }

  /** A secret with a random value, which CloudFormation generates. */
  private secretOf(
    id: string,
    { stage }: Options,
    { description, reason }: { description: string; reason: string },
  ): Secret {
    const secret = new Secret(this, id, {
      description,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      ...(this.key ? { encryptionKey: this.key } : {}),
      removalPolicy: stage.removalPolicy,
    });
    acknowledge(secret, { SMG4: reason });
    return secret;
  }

  private userPool(options: Options): UserPoolIdentity {
    const identity = new UserPoolIdentity(this, "Identity", options);
    new CfnOutput(this, "UserPoolId", { value: identity.pool.userPoolId });
    new CfnOutput(this, "UserPoolClientId", { value: identity.client.userPoolClientId });
    return identity;
  }
}

/** Adds vector indexes to the CloudFormation resource, because the CDK's table construct does not have them yet. */
function addVectorIndexes(table: Table, indexes: Readonly<Record<string, VectorIndexSpec>>): void {
  const resource = table.node.defaultChild as CfnTable;
  const defined = resource.attributeDefinitions as CfnTable.AttributeDefinitionProperty[];
  const used = Object.values(indexes).flatMap(({ partitionKey, filters }) => [partitionKey, ...filters]);
  const missing = [...new Set(used)].filter((name) => !defined.some(({ attributeName }) => attributeName === name));
  resource.attributeDefinitions = [
    ...defined,
    ...missing.map((attributeName) => ({ attributeName, attributeType: AttributeType.STRING })),
  ];
  resource.vectorIndexes = Object.entries(indexes).map(([indexName, index]) => ({
    indexName,
    vectorAttribute: { attributeName: index.vector },
    dimensions: index.dimensions,
    distanceFunction: "COSINE",
    searchSchema: [
      { attributeName: index.partitionKey, searchSchemaElementType: "HASH" },
      ...index.filters.map((attributeName) => ({ attributeName, searchSchemaElementType: "INLINE_FILTER" })),
    ],
    projection: { projectionType: ProjectionType.INCLUDE, nonKeyAttributes: [...index.nonKeyAttributes] },
  }));
}
