import { functionName } from "./assembly/physical.ts";
import { labelOf, type Resolver } from "./assembly/resolve.ts";
import type { AsynchronousSettings } from "./lambda/asynchronous.ts";
import { type Credentials, lambdaEnvironment, type ServiceEndpoints } from "./lambda/environment.ts";
import { createFunction, type LambdaFunction } from "./lambda/lambda-function.ts";
import { readLogLine } from "./lambda/log-line.ts";
import type { Log } from "./log.ts";

interface FunctionProperties {
  Code?: { S3Key?: string };
  Handler?: string;
  Runtime?: string;
  Environment?: { Variables?: Record<string, string> };
  Timeout?: number;
  MemorySize?: number;
  ReservedConcurrentExecutions?: number;
}

interface FunctionsOptions {
  endpoints: ServiceEndpoints;
  /** Returns the credentials of a function's role. */
  credentials(functionName: string): Credentials;
  isolate: boolean;
  /** Returns variables that replace those of the function's template. */
  overrides?(environment: Record<string, string>): Record<string, string>;
}

/** Creates the functions of the template, by name. A bundle is loaded at its first invocation. */
export function createFunctions(
  resolver: Resolver,
  { endpoints, credentials, isolate, overrides }: FunctionsOptions,
  log: Log,
): Map<string, LambdaFunction> {
  const functions = new Map<string, LambdaFunction>();
  for (const resource of resolver.resources("AWS::Lambda::Function")) {
    const properties = resource.properties as FunctionProperties;
    const directory = resolver.asset(resource.stack, properties.Code?.S3Key ?? "");
    // A provider of a custom resource runs during a deployment. Here nothing is deployed.
    if (!properties.Runtime?.startsWith("nodejs") || !directory) {
      const what = directory ? properties.Runtime : "its code";
      log.warn(`function ${resource.logicalId}: the local host cannot run ${what}`);
      continue;
    }
    const spec = {
      name: resolver.ref(resource),
      label: labelOf(resource),
      arn: resolver.attribute(resource, "Arn"),
      directory,
      handler: properties.Handler ?? "index.handler",
      memory: properties.MemorySize ?? 128,
      timeout: properties.Timeout ?? 3,
      reservedConcurrency: properties.ReservedConcurrentExecutions,
    };
    const variables = properties.Environment?.Variables ?? {};
    const environment = lambdaEnvironment(
      { ...spec, environment: { ...variables, ...overrides?.(variables) } },
      endpoints,
      credentials(spec.name),
    );
    functions.set(spec.name, createFunction({ ...spec, environment }, { isolate, log: functionLog(spec.label, log) }));
  }
  return functions;
}

/** Reads, per function, the retries of asynchronous invocations and the queue for events that fail finally. */
export function readAsynchronousSettings(
  resolver: Resolver,
  sendToQueue: (queueArn: string, body: string) => Promise<void>,
): (name: string) => AsynchronousSettings {
  const settings = new Map<string, AsynchronousSettings>();
  for (const { properties } of resolver.resources("AWS::Lambda::EventInvokeConfig")) {
    const { OnFailure } = (properties.DestinationConfig ?? {}) as { OnFailure?: { Destination?: string } };
    const target = OnFailure?.Destination;
    const retries = properties.MaximumRetryAttempts;
    settings.set(functionName(String(properties.FunctionName)), {
      ...(typeof retries === "number" && { retries }),
      ...(target && { onFailure: (record: object) => sendToQueue(target, JSON.stringify(record)) }),
    });
  }
  return (name) => settings.get(name) ?? {};
}

function functionLog(label: string, log: Log): Parameters<typeof createFunction>[1]["log"] {
  return (level, _name, invocationId, logged) => {
    const { text, more } = readLogLine(label, invocationId, logged);
    if (level === "error") log.error(text, more);
    else log.detail(more === undefined ? text : `${text}\n${more}`);
  };
}
