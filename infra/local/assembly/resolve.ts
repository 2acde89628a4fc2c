import { ACCOUNT, type Attributes, PARTITION, plannedAttributes, REGION } from "./physical.ts";
import type { Assembly, Stack } from "./read.ts";

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

export interface Resolver {
  /** Returns the resources of these types, or all, resolved with the attributes that are known now. */
  resources(...types: string[]): Resource[];
  /** Returns every resource, unresolved. */
  list(): Omit<Resource, "properties" | "constructPath">[];
  /** Sets attributes of a resource: the values of `Ref` (key `Ref`) and of `Fn::GetAtt`. */
  learn(resource: Pick<Resource, "stack" | "logicalId">, attributes: Attributes): void;
  /** Returns the value of `Ref`. */
  ref(resource: Pick<Resource, "stack" | "logicalId">): string;
  /** Returns the value of `Fn::GetAtt`; "" when it is unknown. */
  attribute(resource: Pick<Resource, "stack" | "logicalId">, name: string): string;
  /** Returns the resolved outputs of all stacks. */
  outputs(): Record<string, unknown>;
  /** Returns the path of the asset with this object key. */
  asset(stackName: string, objectKey: string): string | undefined;
}

const NO_VALUE = Symbol("AWS::NoValue");

/**
 * Resolves CloudFormation's intrinsic functions with the values of this machine. A function that cannot be resolved causes a warning
 * and becomes a text that says so, so that the rest still runs.
 */
export function createResolver(assembly: Assembly, warn: (message: string) => void): Resolver {
  const attributes = new Map<string, Attributes>();
  for (const stack of assembly.stacks) {
    for (const [logicalId, resource] of Object.entries(stack.template.Resources ?? {})) {
      attributes.set(`${stack.name}/${logicalId}`, plannedAttributes(stack, logicalId, resource));
    }
  }

  const resources: Resolver["resources"] = (...types) =>
    assembly.stacks.flatMap((stack) =>
      Object.entries(stack.template.Resources ?? {})
        .filter(([, { Type, Condition }]) => (types.length === 0 || types.includes(Type)) && holds(stack, Condition))
        .map(([logicalId, { Type, Properties: properties, Metadata }]) => ({
          stack: stack.name,
          logicalId,
          type: Type,
          properties: resolve(stack, properties ?? {}, `${stack.name}/${logicalId}`) as Properties,
          constructPath: Metadata?.["aws:cdk:path"],
        })),
    );

  function resolve(stack: Stack, value: unknown, where: string): unknown {
    if (Array.isArray(value)) {
      return value.map((item) => resolve(stack, item, where)).filter((item) => item !== NO_VALUE);
    }
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    const [first] = entries;
    if (first && entries.length === 1 && (first[0] === "Ref" || first[0].startsWith("Fn::"))) {
      return intrinsic(stack, first[0], first[1], where);
    }
    return Object.fromEntries(
      entries.map(([key, item]) => [key, resolve(stack, item, where)]).filter(([, item]) => item !== NO_VALUE),
    );
  }

  function intrinsic(stack: Stack, name: string, argument: unknown, where: string): unknown {
    const go = (value: unknown) => resolve(stack, value, where);
    const list = (value: unknown) => asList(go(value));
    const [a, b, c] = Array.isArray(argument) ? argument : [argument];
    switch (name) {
      case "Ref":
        return ref(stack, String(argument), where);
      case "Fn::GetAtt":
        return getAtt(stack, argument, where);
      case "Fn::Join":
        return list(b)
          .map(String)
          .join(String(go(a)));
      case "Fn::Sub":
        return substitute(stack, argument, where);
      case "Fn::Select":
        return list(b)[Number(go(a))];
      case "Fn::Split":
        return String(go(b)).split(String(go(a)));
      case "Fn::If":
        return holds(stack, String(a)) ? go(b) : go(c);
      case "Fn::Base64":
        return Buffer.from(String(go(argument))).toString("base64");
      case "Fn::Length":
        return list(argument).length;
      case "Fn::ToJsonString":
        return JSON.stringify(go(argument));
      case "Fn::GetAZs":
        return [`${REGION}a`, `${REGION}b`, `${REGION}c`];
      case "Fn::FindInMap":
        return go(stack.template.Mappings?.[String(go(a))]?.[String(go(b))]?.[String(go(c))]);
      case "Fn::ImportValue":
        return importValue(String(go(argument)), where);
      case "Fn::GetStackOutput":
        return stackOutput(go(argument) as { StackName?: string; OutputName?: string }, where);
      case "Fn::Equals":
      case "Fn::And":
      case "Fn::Or":
      case "Fn::Not":
        return condition(stack, { [name]: argument });
      default:
        return unresolved(`${where}: the local host does not know ${name}`);
    }
  }

  function ref(stack: Stack, id: string, where: string): unknown {
    if (id === "AWS::NoValue") return NO_VALUE;
    const pseudo = pseudoParameter(stack, id);
    if (pseudo !== undefined) return pseudo;
    const known = attributes.get(`${stack.name}/${id}`)?.Ref;
    if (known !== undefined) return known;
    const parameter = stack.template.Parameters?.[id];
    if (parameter) return parameter.Default ?? "";
    return unresolved(`${where}: Ref to ${id}, which is not in the stack`);
  }

  function getAtt(stack: Stack, argument: unknown, where: string): unknown {
    const [id = "", ...rest] = Array.isArray(argument) ? argument.map(String) : String(argument).split(".");
    const name = rest.join(".");
    return (
      attributes.get(`${stack.name}/${id}`)?.[name] ??
      unresolved(`${where}: the local host has no value for the attribute ${name} of ${id}`)
    );
  }

  function substitute(stack: Stack, argument: unknown, where: string): string {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}];
    const given = (resolve(stack, variables ?? {}, where) ?? {}) as Properties;
    return String(text).replaceAll(/\$\{(!?)([^}]+)\}/g, (_, literal: string, name: string) => {
      if (literal) return `\${${name}}`;
      if (name in given) return String(given[name]);
      return String(name.includes(".") ? getAtt(stack, name, where) : ref(stack, name, where));
    });
  }

  function importValue(exportName: string, where: string): unknown {
    for (const stack of assembly.stacks) {
      for (const { Value, Export } of Object.values(stack.template.Outputs ?? {})) {
        if (Export && resolve(stack, Export.Name, where) === exportName) return resolve(stack, Value, where);
      }
    }
    return unresolved(`${where}: no stack exports ${exportName}`);
  }

  function stackOutput({ StackName, OutputName }: { StackName?: string; OutputName?: string }, where: string) {
    const stack = assembly.stacks.find(({ name }) => name === StackName);
    const output = OutputName ? stack?.template.Outputs?.[OutputName] : undefined;
    return stack && output
      ? resolve(stack, output.Value, where)
      : unresolved(`${where}: no stack ${StackName} with the output ${OutputName}`);
  }

  function holds(stack: Stack, name: string | undefined): boolean {
    return name === undefined || condition(stack, stack.template.Conditions?.[name]);
  }

  function condition(stack: Stack, expression: unknown): boolean {
    const [name, argument] = Object.entries((expression ?? {}) as Properties)[0] ?? [];
    const all = asList(argument);
    const value = (item: unknown) => resolve(stack, item, `${stack.name}, conditions`);
    if (name === "Condition") return holds(stack, String(argument));
    if (name === "Fn::Equals") return value(all[0]) === value(all[1]);
    if (name === "Fn::Not") return !condition(stack, all[0]);
    if (name === "Fn::And") return all.every((item) => condition(stack, item));
    if (name === "Fn::Or") return all.some((item) => condition(stack, item));
    warn(`${stack.name}: the local host does not support this condition and treats it as false`);
    return false;
  }

  function unresolved(message: string): string {
    warn(message);
    return `unresolved(${message})`;
  }

  return {
    resources,
    list: () =>
      assembly.stacks.flatMap((stack) =>
        Object.entries(stack.template.Resources ?? {})
          .filter(([, { Condition }]) => holds(stack, Condition))
          .map(([logicalId, { Type }]) => ({ stack: stack.name, logicalId, type: Type })),
      ),
    attribute: ({ stack, logicalId }, name) => attributes.get(`${stack}/${logicalId}`)?.[name] ?? "",
    ref: ({ stack, logicalId }) => attributes.get(`${stack}/${logicalId}`)?.Ref ?? "",
    learn: ({ stack, logicalId }, known) => {
      const key = `${stack}/${logicalId}`;
      attributes.set(key, { ...attributes.get(key), ...known });
    },
    outputs: () =>
      Object.fromEntries(
        assembly.stacks.flatMap((stack) =>
          Object.entries(stack.template.Outputs ?? {})
            .filter(([, { Condition }]) => holds(stack, Condition))
            .map(([name, { Value }]) => [name, resolve(stack, Value, `${stack.name}, output ${name}`)]),
        ),
      ),
    asset: (stackName, objectKey) => assembly.stacks.find(({ name }) => name === stackName)?.assets.get(objectKey),
  };
}

function pseudoParameter(stack: Stack, name: string): unknown {
  switch (name) {
    case "AWS::AccountId":
      return ACCOUNT;
    case "AWS::Region":
      return REGION;
    case "AWS::Partition":
      return PARTITION;
    case "AWS::URLSuffix":
      return "amazonaws.com";
    case "AWS::StackName":
      return stack.name;
    case "AWS::StackId":
      return `arn:${PARTITION}:cloudformation:${REGION}:${ACCOUNT}:stack/${stack.name}/local`;
    case "AWS::NotificationARNs":
      return [];
    default:
      return undefined;
  }
}

/** The construct id of a function, such as `chat-turn`. It is easier to read than the logical id. */
export function labelOf({ constructPath = "", logicalId }: Resource): string {
  const [, ...below] = constructPath.split("/");
  return below.filter((id) => !["Function", "Handler", "Resource"].includes(id)).join("/") || logicalId;
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}
