/** Most characters of one memory: about what one vector can represent. */
const MAX_CHARACTERS = 1500;

/** Most memories of one message. The rest of a longer message is not remembered. */
const MAX_CHUNKS = 20;

/** Places to cut a text, best first: after paragraphs, lines, sentences, words. */
const SEAMS = [/\n\s*\n/g, /\n/g, /[.!?。！？]["')\]]*\s+|[。！？]/g, /\s+/g];

/** Cuts a message into the texts of its memories. Most messages give one. */
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

/** The last place to cut in the second half of the text that fits; if there is none, its end. Never inside a surrogate pair. */
function seamOf(text: string): number {
  const window = text.slice(0, MAX_CHARACTERS);
  for (const seam of SEAMS) {
    const last = [...window.matchAll(seam)].at(-1);
    if (last && last.index > MAX_CHARACTERS / 2) return last.index + last[0].length;
  }
  return window.isWellFormed() ? MAX_CHARACTERS : MAX_CHARACTERS - 1;
}
