/** Compiles a pattern of a policy: `*` stands for any text, also none, and `?` for one character. */
export function compileGlob(pattern: string, { ignoreCase = false } = {}): (text: string) => boolean {
  if (pattern === "*") return () => true;
  if (!/[*?]/.test(pattern)) {
    if (!ignoreCase) return (text) => text === pattern;
    const wanted = pattern.toLowerCase();
    return (text) => text.toLowerCase() === wanted;
  }
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  const expression = new RegExp(`^${source}$`, ignoreCase ? "i" : "");
  return (text) => expression.test(text);
}
