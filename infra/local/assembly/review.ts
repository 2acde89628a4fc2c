import type { Properties, Resolver } from "./resolve.ts";
import { ignored, type Support, supported } from "./supported.ts";

/** Warns about resources and properties that the local host does not support. Notes those that need nothing here. */
export function reviewResources(resolver: Resolver, warn: (text: string) => void, note: (text: string) => void): void {
  const idle = new Map<string, number>();
  const count = (text: string) => void idle.set(text, (idle.get(text) ?? 0) + 1);
  for (const { type, logicalId, properties } of resolver.resources(...Object.keys(supported))) {
    reviewProperties(supported[type] ?? {}, properties, [type, logicalId], { warn, count });
  }
  for (const { type, logicalId } of resolver.list()) {
    if (type in supported) continue;
    const reason = reasonFor(type);
    if (reason) count(`${type}: ${reason}`);
    else warn(`${type} ${logicalId}: the local host does not support this type of resource and ignores it`);
  }
  for (const [text, times] of idle) note(`ignoring ${text}${times > 1 ? ` (${times} times)` : ""}`);
}

interface Findings {
  warn(text: string): void;
  /** Counts a resource or property that needs nothing here. */
  count(text: string): void;
}

/** `where` is the resource's type and logical id, and the path of properties above. */
function reviewProperties(
  known: Record<string, Support>,
  properties: Properties,
  where: [type: string, logicalId: string, ...above: string[]],
  findings: Findings,
): void {
  const [type, logicalId, ...above] = where;
  for (const [property, value] of Object.entries(properties)) {
    const support = known[property] ?? known["*"];
    const at = [...above, property].join(".");
    if (support === undefined) {
      findings.warn(`${type} ${logicalId}: the local host does not support ${at} and ignores it`);
    } else if (typeof support === "string") findings.count(`${type} ${at}: ${support}`);
    else if (support !== true) reviewNested(support, value, [...where, property], findings);
  }
}

function reviewNested(
  known: Record<string, Support>,
  value: unknown,
  where: [type: string, logicalId: string, ...above: string[]],
  findings: Findings,
): void {
  const [type, logicalId, ...above] = where;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item === "object" && item !== null) reviewProperties(known, item as Properties, where, findings);
    else if (!(String(item) in known)) {
      findings.warn(`${type} ${logicalId}: the local host does not support ${above.join(".")} = ${String(item)}`);
    }
  }
}

function reasonFor(type: string): string | undefined {
  if (ignored[type]) return ignored[type];
  return Object.entries(ignored).find(
    ([pattern]) => pattern.endsWith("*") && type.startsWith(pattern.slice(0, -1)),
  )?.[1];
}
