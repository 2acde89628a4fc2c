/** Characters of one memory at most: about what a model's vector can stand for, and a prompt has room for. */
const MAX_CHARACTERS = 1500;

/** Memories of one message at most: what comes later in a longer one is not remembered. */
const MAX_CHUNKS = 20;

/** Where a text may be cut, best first: paragraphs, lines, sentences, words. */
const SEAMS = [/\n\s*\n/g, /\n/g, /[.!?。！？]["')\]]*\s+|[。！？]/g, /\s+/g];

/** Cuts a message into the texts of its memories: a turn is one, unless it is long. */
export function chunksOf(content: string): string[] {
  const chunks: string[] = [];
  let rest = content.trim();
  while (rest !== "" && chunks.length < MAX_CHUNKS) {
    const end = rest.length <= MAX_CHARACTERS ? rest.length : seamOf(rest);
    chunks.push(rest.slice(0, end).trim());
    rest = rest.slice(end).trim();
  }
  return chunks;
}

/** The last good place to cut in the second half of what fits; else where it ends, between two characters. */
function seamOf(text: string): number {
  const window = text.slice(0, MAX_CHARACTERS);
  for (const seam of SEAMS) {
    const last = [...window.matchAll(seam)].at(-1);
    if (last && last.index > MAX_CHARACTERS / 2) return last.index + last[0].length;
  }
  return window.isWellFormed() ? MAX_CHARACTERS : MAX_CHARACTERS - 1;
}
