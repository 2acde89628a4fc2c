import { ACCOUNT, type Attributes, PARTITION, plannedAttributes, REGION } from "./physical.ts";
import type { Stack } from "./read-assembly.ts";

/** A resource of the template with all intrinsic functions resolved. */
export interface Resource {
  stack: string;
  logicalId: string;
  type: string;
  properties: Properties;
  /** Path of the construct, like `Stack/name/Function/Resource`. Only CDK's templates have it. */
  constructPath?: string | undefined;
}

export type Properties = Record<string, unknown>;

const pseudoParameters: Record<string, string> = {
  "AWS::AccountId": ACCOUNT,
  "AWS::Region": REGION,
  "AWS::Partition": PARTITION,
  "AWS::URLSuffix": "amazonaws.com",
};

type Named = Pick<Resource, "stack" | "logicalId">;

export interface Resolver {
  /** Returns the resources of these types, or all, resolved with the attributes that are known now. */
  resources(...types: string[]): Resource[];
  /** Returns the type of every resource, by logical id. */
  types(): [logicalId: string, type: string][];
  /** Sets attributes of a resource: the values of `Ref` (key `Ref`) and of `Fn::GetAtt`. */
  learn(resource: Named, attributes: Attributes): void;
  /** Returns the value of `Ref`. */
  ref(resource: Named): string;
  /** Returns the value of `Fn::GetAtt`; "" when it is unknown. */
  attribute(resource: Named, name: string): string;
  /** Returns the resolved outputs of all stacks. */
  outputs(): Record<string, unknown>;
  /** Returns the path of the asset with this object key. */
  asset(stackName: string, objectKey: string): string | undefined;
}

/**
 * Resolves CloudFormation's intrinsic functions with the values of this machine. A function that cannot be resolved causes a warning
 * and becomes a text that says so, so that the rest still runs.
 */
export function createResolver(stacks: readonly Stack[], warn: (message: string) => void): Resolver {
  const attributes = new Map<string, Attributes>();
  const keyOf = ({ stack, logicalId }: Named) => `${stack}/${logicalId}`;
  const all = stacks.flatMap((stack) =>
    Object.entries(stack.template.Resources ?? {}).map(([logicalId, given]) => ({ stack, logicalId, given })),
  );
  for (const { stack, logicalId, given } of all) {
    attributes.set(`${stack.name}/${logicalId}`, plannedAttributes(stack.name, logicalId, given));
    if (given.Condition) warn(`${logicalId}: the local host ignores the condition ${given.Condition}`);
  }

  function resolve(stack: Stack, value: unknown, where: string): unknown {
    if (Array.isArray(value)) {
      return value.map((item) => resolve(stack, item, where));
    }
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    const [[name, argument] = ["", undefined], ...others] = entries;
    if (others.length === 0 && (name === "Ref" || name.startsWith("Fn::"))) {
      return intrinsic(stack, name, argument, where);
    }
    return Object.fromEntries(entries.map(([key, item]) => [key, resolve(stack, item, where)]));
  }

  function intrinsic(stack: Stack, name: string, argument: unknown, where: string): unknown {
    const go = (value: unknown) => resolve(stack, value, where);
    const [a, b] = Array.isArray(argument) ? argument : [argument];
    switch (name) {
      case "Ref":
        return ref(stack, String(argument), where);
      case "Fn::GetAtt":
        return getAtt(stack, String(a), String(b), where);
      case "Fn::Join":
        return (go(b) as unknown[]).join(String(go(a)));
      case "Fn::Sub":
        return String(a).replaceAll(/\$\{([^}]+)\}/g, (_, id: string) => ref(stack, id, where));
      case "Fn::Select":
        return (go(b) as unknown[])[Number(go(a))];
      case "Fn::Split":
        return String(go(b)).split(String(go(a)));
      case "Fn::ImportValue":
        return importValue(String(go(argument)), where);
      default:
        return unresolved(`${where}: the local host does not know ${name}`);
    }
  }

  function ref(stack: Stack, id: string, where: string): string {
    const known = pseudoParameters[id] ?? attributes.get(`${stack.name}/${id}`)?.Ref;
    return known ?? unresolved(`${where}: Ref to ${id}, which is not in the stack`);
  }

  function getAtt(stack: Stack, id: string, name: string, where: string): string {
    const known = attributes.get(`${stack.name}/${id}`)?.[name];
    return known ?? unresolved(`${where}: the local host has no value for the attribute ${name} of ${id}`);
  }

  function importValue(exportName: string, where: string): unknown {
    for (const stack of stacks) {
      for (const { Value, Export } of Object.values(stack.template.Outputs ?? {})) {
        if (Export && resolve(stack, Export.Name, where) === exportName) return resolve(stack, Value, where);
      }
    }
    return unresolved(`${where}: no stack exports ${exportName}`);
  }

  function unresolved(message: string): string {
    warn(message);
    return `unresolved(${message})`;
  }

  return {
    resources: (...types) =>
      all
        .filter(({ given }) => types.length === 0 || types.includes(given.Type))
        .map(({ stack, logicalId, given: { Type, Properties: properties = {}, Metadata } }) => ({
          stack: stack.name,
          logicalId,
          type: Type,
          properties: resolve(stack, properties, `${stack.name}/${logicalId}`) as Properties,
          constructPath: Metadata?.["aws:cdk:path"],
        })),
    types: () => all.map(({ logicalId, given }) => [logicalId, given.Type]),
    attribute: (resource, name) => attributes.get(keyOf(resource))?.[name] ?? "",
    ref: (resource) => attributes.get(keyOf(resource))?.Ref ?? "",
    learn(resource, known) {
      attributes.set(keyOf(resource), { ...attributes.get(keyOf(resource)), ...known });
    },
    outputs: () =>
      Object.fromEntries(
        stacks.flatMap((stack) =>
          Object.entries(stack.template.Outputs ?? {}).map(([name, { Value }]) => [
            name,
            resolve(stack, Value, `${stack.name}, output ${name}`),
          ]),
        ),
      ),
    asset: (stackName, objectKey) => stacks.find(({ name }) => name === stackName)?.assets.get(objectKey),
  };
}

/** The construct id of a function, such as `chat-turn`. It is easier to read than the logical id. */
export function labelOf({ constructPath = "", logicalId }: Resource): string {
  const [, ...below] = constructPath.split("/");
  return below.filter((id) => !["Function", "Handler", "Resource"].includes(id)).join("/") || logicalId;
}
