import type { FakeRequest } from "./fake-openai.ts";

/** The bytes of a prompt in the order in which a provider reads them: the tools, then the messages. */
export function promptBytes({ tools, messages }: Pick<FakeRequest, "tools" | "messages">): string {
  return [tools ?? null, ...messages].map((part) => JSON.stringify(part)).join("\n");
}

/** Characters that two texts have in common at their beginning. */
export function sharedBeginning(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
