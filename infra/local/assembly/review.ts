import type { Properties, Resolver } from "./resolve.ts";
import { hosted, inert, type Understanding } from "./supported.ts";

/** Names what the local host does not understand in warnings, and what it knows to have nothing to run in notes. */
export function reviewResources(resolver: Resolver, warn: (text: string) => void, note: (text: string) => void): void {
  const idle = new Map<string, number>();
  const count = (text: string) => void idle.set(text, (idle.get(text) ?? 0) + 1);
  for (const { type, logicalId, properties } of resolver.resources(...Object.keys(hosted))) {
    reviewProperties(hosted[type] ?? {}, properties, [type, logicalId], { warn, count });
  }
  for (const { type, logicalId } of resolver.list()) {
    if (type in hosted) continue;
    const reason = reasonFor(type);
    if (reason) count(`${type}: ${reason}`);
    else warn(`${type} ${logicalId}: the local host does not know this type of resource; nothing runs for it`);
  }
  for (const [text, times] of idle) note(`nothing to run for ${text}${times > 1 ? ` (${times} times)` : ""}`);
}

interface Findings {
  warn(text: string): void;
  /** Takes something that has nothing to run, with the reason. */
  count(text: string): void;
}

/** `where`: the resource's type and logical id, and the properties above. */
function reviewProperties(
  known: Record<string, Understanding>,
  properties: Properties,
  where: [type: string, logicalId: string, ...above: string[]],
  findings: Findings,
): void {
  const [type, logicalId, ...above] = where;
  for (const [property, value] of Object.entries(properties)) {
    const understanding = known[property] ?? known["*"];
    const at = [...above, property].join(".");
    if (understanding === undefined) {
      findings.warn(`${type} ${logicalId}: ${at} is not understood by the local host and has no effect`);
    } else if (typeof understanding === "string") findings.count(`${type} ${at}: ${understanding}`);
    else if (understanding !== true) reviewNested(understanding, value, [...where, property], findings);
  }
}

function reviewNested(
  known: Record<string, Understanding>,
  value: unknown,
  where: [type: string, logicalId: string, ...above: string[]],
  findings: Findings,
): void {
  const [type, logicalId, ...above] = where;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item === "object" && item !== null) reviewProperties(known, item as Properties, where, findings);
    else if (!(String(item) in known)) {
      findings.warn(`${type} ${logicalId}: ${above.join(".")} = ${String(item)} is not understood by the local host`);
    }
  }
}

function reasonFor(type: string): string | undefined {
  if (inert[type]) return inert[type];
  return Object.entries(inert).find(([pattern]) => pattern.endsWith("*") && type.startsWith(pattern.slice(0, -1)))?.[1];
}
