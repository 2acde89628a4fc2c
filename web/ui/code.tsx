import { useMemo } from "preact/hooks";
import { texts } from "../texts.ts";
import { CopyButton } from "./copy-button.tsx";

const KEYWORDS = new Set(
  `abstract and as async await auto bool boolean break case catch char class const continue def default defer del delete do double elif
  else end enum except export extends extern false False final finally float fn for foreach from func function go goto if impl implements
  import in include instanceof int interface is lambda let long loop match mod module move mut namespace new nil None not null of or override
  package pass private protected pub public raise readonly ref return self Self short static str string struct super switch template this
  throw throws trait true True try type typedef typeof undefined union unsafe unsigned use using val var virtual void where while with yield
  select insert update into values create table alter drop join left right inner outer on group by order having limit set
  echo fi then done esac local`.split(/\s+/),
);

/** Languages in which `#` begins a comment, and those in which `--` does. */
const HASH = /^(py|python|rb|ruby|sh|bash|zsh|shell|ya?ml|toml|r|perl|pl|dockerfile|make|makefile|conf|ini|elixir)$/;
const DASHES = /^(sql|lua|haskell|hs|ada)$/;
const PLAIN = /^(|text|txt|plain|plaintext|md|markdown|log|console)$/;

type Kind = "comment" | "string" | "number" | "keyword" | "plain";

/** One block of code, with its language, a copy button and some colours. */
export function Code({ text, language }: { text: string; language: string }) {
  const pieces = useMemo(() => highlight(text, language.toLowerCase().split(/\s/)[0] ?? ""), [text, language]);
  return (
    <figure class="code">
      <figcaption>
        <span>{language}</span>
        <CopyButton text={text} label={texts.message.copyCode} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard */}
      <pre tabIndex={0}>
        <code>
          {pieces.map(({ kind, text }) => (kind === "plain" ? text : <span class={`hl-${kind}`}>{text}</span>))}
        </code>
      </pre>
    </figure>
  );
}

/** Splits code into comments, strings, numbers, keywords and other text. It knows only the common syntax of many languages. */
function highlight(text: string, language: string): { kind: Kind; text: string }[] {
  if (PLAIN.test(language)) return [{ kind: "plain", text }];
  const comment = HASH.test(language)
    ? "#[^\\n]*"
    : DASHES.test(language)
      ? "--[^\\n]*"
      : "//[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$)|<!--[\\s\\S]*?(?:-->|$)";
  const pattern = new RegExp(
    `(?<comment>${comment})|(?<string>"(?:\\\\.|[^"\\\\\\n])*"?|'(?:\\\\.|[^'\\\\\\n])*'?|\`(?:\\\\.|[^\`\\\\])*\`?)|(?<number>\\b\\d[\\w.]*\\b)|(?<word>[\\p{L}_$][\\p{L}\\p{N}_$]*)`,
    "gu",
  );
  const pieces: { kind: Kind; text: string }[] = [];
  const add = (kind: Kind, piece: string) => {
    const last = pieces.at(-1);
    if (piece === "") return;
    if (last?.kind === kind) last.text += piece;
    else pieces.push({ kind, text: piece });
  };
  let at = 0;
  for (const { index, groups = {}, 0: found } of text.matchAll(pattern)) {
    add("plain", text.slice(at, index));
    if (groups.comment !== undefined) add("comment", found);
    else if (groups.string !== undefined) add("string", found);
    else if (groups.number !== undefined) add("number", found);
    else add(KEYWORDS.has(language === "sql" ? found.toLowerCase() : found) ? "keyword" : "plain", found);
    at = index + found.length;
  }
  add("plain", text.slice(at));
  return pieces;
}
