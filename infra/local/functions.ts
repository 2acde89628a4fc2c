import type { Resolver } from "./assembly/resolve.ts";
import type { AsynchronousSettings } from "./lambda/asynchronous.ts";
import { type Credentials, lambdaEnvironment, type ServiceEndpoints } from "./lambda/environment.ts";
import { createFunction, type LambdaFunction } from "./lambda/function.ts";
import { functionName } from "./lambda/invoke-api.ts";
import type { Log } from "./log.ts";

interface FunctionProperties {
  Code?: { S3Key?: string };
  Handler?: string;
  Runtime?: string;
  Environment?: { Variables?: Record<string, unknown> };
  Timeout?: number;
  MemorySize?: number;
  ReservedConcurrentExecutions?: number;
  DeadLetterConfig?: { TargetArn?: string };
}

export interface FunctionsOptions {
  endpoints: ServiceEndpoints;
  credentials: Credentials;
  isolate: boolean;
  /** Variables that replace those of a function's template. */
  overrides?(environment: Record<string, string>): Record<string, string>;
}

/** The template's functions by name. Nothing is loaded yet. */
export function createFunctions(
  resolver: Resolver,
  { endpoints, credentials, isolate, overrides }: FunctionsOptions,
  log: Log,
): Map<string, LambdaFunction> {
  const functions = new Map<string, LambdaFunction>();
  for (const resource of resolver.resources("AWS::Lambda::Function")) {
    const properties = resource.properties as FunctionProperties;
    const directory = resolver.asset(resource.stack, properties.Code?.S3Key ?? "");
    // Providers of custom resources run when a stack is deployed, and nothing is deployed here.
    if (!properties.Runtime?.startsWith("nodejs") || !directory) {
      log.warn(`function ${resource.logicalId}: ${directory ? properties.Runtime : "its code"} cannot be run here`);
      continue;
    }
    const spec = {
      name: resolver.ref(resource),
      arn: resolver.attribute(resource, "Arn"),
      directory,
      handler: properties.Handler ?? "index.handler",
      memory: properties.MemorySize ?? 128,
      timeout: properties.Timeout ?? 3,
      reservedConcurrency: properties.ReservedConcurrentExecutions,
    };
    const variables = textValues(properties.Environment?.Variables ?? {});
    const environment = lambdaEnvironment(
      { ...spec, environment: { ...variables, ...overrides?.(variables) } },
      endpoints,
      credentials,
    );
    functions.set(spec.name, createFunction({ ...spec, environment }, { isolate, log: functionLog(log) }));
  }
  return functions;
}

/** How asynchronous invocations of each function are retried, and where they go when they fail for good. */
export function readAsynchronousSettings(
  resolver: Resolver,
  sendToQueue: (queueArn: string, body: string) => Promise<void>,
): (name: string) => AsynchronousSettings {
  const settings = new Map<string, AsynchronousSettings>();
  for (const resource of resolver.resources("AWS::Lambda::Function")) {
    const target = (resource.properties as FunctionProperties).DeadLetterConfig?.TargetArn;
    if (target) {
      settings.set(resolver.ref(resource), { onFailure: (_record, event) => sendToQueue(target, event) });
    }
  }
  for (const { properties } of resolver.resources("AWS::Lambda::EventInvokeConfig")) {
    const name = functionName(String(properties.FunctionName));
    const { OnFailure } = (properties.DestinationConfig ?? {}) as { OnFailure?: { Destination?: string } };
    const target = OnFailure?.Destination;
    const retries = properties.MaximumRetryAttempts;
    settings.set(name, {
      ...settings.get(name),
      ...(typeof retries === "number" && { retries }),
      ...(target && { onFailure: (record: object) => sendToQueue(target, JSON.stringify(record)) }),
    });
  }
  return (name) => settings.get(name) ?? {};
}

function functionLog(log: Log): Parameters<typeof createFunction>[1]["log"] {
  return (level, name, requestId, text) => {
    const line = `${name}${requestId ? ` ${requestId.slice(0, 8)}` : ""}: ${text}`;
    if (level === "error") log.error(line);
    else log.detail(line);
  };
}

function textValues(variables: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]));
}
