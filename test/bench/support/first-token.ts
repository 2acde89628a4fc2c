/**
 * Reads a stream to its end, and returns the time of its first token on the clock of `performance.now()`. Throws when the stream does
 * not contain both texts.
 */
export async function firstToken(response: Response, first: string, last: string): Promise<number> {
  if (response.status !== 200) throw new Error(`answered ${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  let text = "";
  let at = Number.NaN;
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (Number.isNaN(at) && text.includes(first)) at = performance.now();
  }
  if (Number.isNaN(at) || !text.includes(last)) throw new Error("the answer did not come whole");
  return at;
}
