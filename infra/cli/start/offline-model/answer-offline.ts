/** A message of the OpenAI API. The offline model reads text only. */
export interface OfflineMessage {
  role: string;
  content: string | readonly { text?: string }[] | null;
}

interface Quote {
  role: string;
  content: string;
  /** ISO 8601. Only memories have it. */
  at?: string;
}

/** Words without meaning for the search. */
const STOP_WORDS = new Set(
  `a about am an and any are as at be been but by can could did do does for from had has have he her him his how i if in is it its me my
  of on or our she so tell that the their them they this to us was we were what when where which who why will with would you your`
    .split(/\s+/)
    .concat("remember", "said", "know", "please"),
);

/** Quotes per answer, and characters per quote, at most. */
const MAX_QUOTES = 3;
const MAX_QUOTE = 400;

/**
 * Answers with quotes from the conversation and the memories in the prompt that share words with the question. The same prompt always
 * gives the same answer.
 */
export function answerOffline(prompt: readonly OfflineMessage[]): string {
  const messages = prompt.map(({ role, content }) => ({ role, content: textOf(content) }));
  // Memories stand before the question.
  const memories = messages.flatMap(({ content }) => memoriesIn(content));
  const question = messages.at(-1)?.content.split(END_OF_MEMORIES).at(-1) ?? "";
  const wanted = wordsOf(question);
  const said = messages.slice(0, -1).filter(({ role }) => role === "user" || role === "assistant");
  const quotes = [...memories, ...said.filter(({ content }) => !content.startsWith(OFFLINE))]
    .map((quote) => ({ quote, score: score(wanted, quote) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, MAX_QUOTES);
  const count = said.filter(({ role }) => role === "user").length;
  const where = count > 0 ? `This is message ${count + 1} of yours that I see.` : "";
  if (quotes.length > 0) {
    return [`${OFFLINE} What I have on this:`, ...quotes.map(({ quote }) => `- ${present(quote)}`)].join("\n");
  }
  return [OFFLINE, `You said: "${shortened(question)}".`, where, "I have nothing earlier on this."]
    .filter(Boolean)
    .join(" ");
}

const END_OF_MEMORIES = "</memories>\n\n";

/** The text of a message, also of one with content parts. */
export function textOf(content: OfflineMessage["content"]): string {
  if (typeof content === "string") return content;
  return (content ?? []).map(({ text = "" }) => text).join("\n\n");
}

const OFFLINE = "I am the offline model: no language model is configured, so I can only quote what was said.";

function memoriesIn(text: string): Quote[] {
  const found = text.matchAll(/^(\d{4}-\d\d-\d\dT\d\d:\d\d) (\w+): (".*")$/gm);
  return [...found].map(([, at = "", role = "", content = ""]) => ({ role, at, content: unquoted(content) }));
}

/** A user may write a line that looks like a memory and is not JSON. */
function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

function wordsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => !STOP_WORDS.has(word)).map((word) => word.replace(/(?:ing|ed|es|s)$/, "")));
}

function score(wanted: ReadonlySet<string>, { content, role }: Quote): number {
  const shared = [...wordsOf(content)].filter((word) => wanted.has(word)).length;
  // The user's own words count more than an answer to them.
  return shared + (shared > 0 && role === "user" ? 0.5 : 0);
}

const present = ({ role, at, content }: Quote): string =>
  `${role === "user" ? "you" : role} said${at ? ` on ${at.slice(0, 10)}` : " earlier in this conversation"}: "${shortened(content)}"`;

const shortened = (text: string): string => (text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text);
