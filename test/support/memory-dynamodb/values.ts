/** Copies, compares and measures the values of items: strings, numbers, booleans, null, bytes, lists and maps. */
import type { Item } from "./expressions.ts";

/** Makes a deep copy without undefined attributes, as the SDK does. */
export function copyOf<T>(value: T): T {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Error(`${value} is not a number that DynamoDB stores`);
    return value;
  }
  if (value instanceof Uint8Array) return new Uint8Array(value) as T;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (typeof value === "object" && isPlain(value)) {
    const copy: Item = {};
    for (const [name, inner] of Object.entries(value)) if (inner !== undefined) copy[name] = copyOf(inner);
    return copy as T;
  }
  throw new Error(`a value of this type cannot be stored: ${typeof value}`);
}

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Item, b as Item];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => name in right && isEqual(left[name], right[name]))
  );
}

/** Approximate bytes of a value, as DynamoDB counts them. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "number") return Math.ceil(String(value).length / 2) + 1;
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return value.reduce((sum: number, inner) => sum + 1 + sizeOf(inner), 3);
  if (typeof value !== "object" || value === null) return 1;
  let size = 3;
  for (const [name, inner] of Object.entries(value)) size += 1 + Buffer.byteLength(name) + sizeOf(inner);
  return size;
}

/** Bytes of an item: its names and values. */
export function itemSize(item: Item): number {
  let size = 0;
  for (const [name, value] of Object.entries(item)) size += Buffer.byteLength(name) + sizeOf(value);
  return size;
}
