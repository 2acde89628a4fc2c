import { Parser } from "htmlparser2";

/** Elements that begin and end a line. */
const BLOCKS = new Set(
  "p div ul ol li h1 h2 h3 h4 h5 h6 pre blockquote table tr section article header footer hr".split(" "),
);
const HIDDEN = new Set(["script", "style", "head", "template"]);

/** Characters after which text is dropped, to limit memory. The API does not accept a message of this length. */
const MAX_LENGTH = 4 * 1024 * 1024;

/** Makes plain text from the events of an HTML parser: a line per block, "- " before items of lists, and code in fences. */
interface TextWriter {
  open(tag: string): void;
  text(text: string): void;
  close(tag: string): void;
  /** Returns the text so far and empties the writer. */
  take(): string;
}

export function createTextWriter(): TextWriter {
  let out = "";
  let hidden = 0;
  let code = 0;
  const newLine = (): void => {
    if (out !== "" && !out.endsWith("\n")) out += "\n";
  };
  return {
    open(tag) {
      if (HIDDEN.has(tag)) hidden += 1;
      if (tag === "br") out += "\n";
      if (tag === "td" || tag === "th") out += out.endsWith("\n") || out === "" ? "" : " | ";
      if (!BLOCKS.has(tag)) return;
      newLine();
      if (/^(p|h\d|pre|table|blockquote)$/.test(tag) && out !== "" && !out.endsWith("\n\n")) out += "\n";
      if (tag === "li") out += "- ";
      if (tag === "pre") {
        out += "```\n";
        code += 1;
      }
    },
    text(text) {
      if (hidden > 0 || out.length > MAX_LENGTH) return;
      if (code > 0) out += text;
      else if (text.trim() !== "" || !/[\s]$|^$/.test(out)) out += text.replaceAll(/[ \t\r\n]+/g, " ");
    },
    close(tag) {
      if (HIDDEN.has(tag)) hidden -= 1;
      if (tag === "pre") {
        newLine();
        out += "```";
        code -= 1;
      }
      if (BLOCKS.has(tag)) newLine();
    },
    take() {
      const text = out
        .replaceAll(/[ \t]+\n/g, "\n")
        .replaceAll(/\n{3,}/g, "\n\n")
        .trim();
      out = "";
      return text;
    },
  };
}

/** Converts a piece of HTML to plain text. */
export function htmlToText(html: string): string {
  const writer = createTextWriter();
  const parser = new Parser({ onopentag: writer.open, ontext: writer.text, onclosetag: writer.close });
  parser.end(html);
  return writer.take();
}
