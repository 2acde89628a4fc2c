import { lexer, type Token, type Tokens } from "marked";
import { Component, type ComponentChildren } from "preact";
import { texts } from "../texts.ts";
import { Code } from "./code.tsx";

// Makes elements from the tokens of the Markdown parser. HTML in Markdown stays text, so that no text can run a script.

/** Renders Markdown. While an answer grows, only its last blocks are rendered again. */
export function Markdown({ text }: { text: string }) {
  return (
    <div class="markdown">
      {lexer(text, { gfm: true, breaks: true }).map((token, n) => (
        <Block key={n} token={token} />
      ))}
    </div>
  );
}

class Block extends Component<{ token: Token }> {
  override shouldComponentUpdate({ token }: { token: Token }): boolean {
    return token.raw !== this.props.token.raw;
  }

  override render({ token }: { token: Token }): ComponentChildren {
    return renderBlock(token);
  }
}

function renderBlock(token: Token): ComponentChildren {
  switch (token.type) {
    case "heading": {
      // The page has its own headings above these.
      const Level = `h${Math.min(6, (token as Tokens.Heading).depth + 2)}` as "h3";
      return <Level>{inline(token)}</Level>;
    }
    case "paragraph":
      return <p>{inline(token)}</p>;
    case "text":
      return token.tokens ? inline(token) : token.text;
    case "code": {
      const { text, lang } = token as Tokens.Code;
      return <Code text={text} language={lang ?? ""} />;
    }
    case "blockquote":
      return <blockquote>{(token.tokens ?? []).map(renderBlock)}</blockquote>;
    case "list":
      return <List list={token as Tokens.List} />;
    case "table":
      return <Table table={token as Tokens.Table} />;
    case "hr":
      return <hr />;
    case "space":
    case "def":
      return null;
    default:
      return <p>{token.raw}</p>;
  }
}

function List({ list }: { list: Tokens.List }) {
  const items = list.items.map((item) => (
    <li>
      {item.task && <input type="checkbox" disabled checked={item.checked === true} aria-label={item.text} />}
      {item.tokens.map(renderBlock)}
    </li>
  ));
  return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ table }: { table: Tokens.Table }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard
    <section class="scrolls" tabIndex={0} aria-label={texts.message.table}>
      <table>
        <thead>
          <tr>
            {table.header.map((cell) => (
              <th scope="col" class={cell.align ?? undefined}>
                {inline(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row) => (
            <tr>
              {row.map((cell) => (
                <td class={cell.align ?? undefined}>{inline(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const inline = ({ tokens = [] }: { tokens?: Token[] }): ComponentChildren => tokens.map(renderInline);

function renderInline(token: Token): ComponentChildren {
  switch (token.type) {
    case "strong":
      return <strong>{inline(token)}</strong>;
    case "em":
      return <em>{inline(token)}</em>;
    case "del":
      return <del>{inline(token)}</del>;
    case "codespan":
      return <code>{unescaped(token.text)}</code>;
    case "br":
      return <br />;
    case "link":
      return <Link href={token.href}>{inline(token)}</Link>;
    // Do not load pictures, because the requests would tell other hosts who reads the text.
    case "image":
      return <Link href={token.href}>{token.text || token.href}</Link>;
    case "text":
      return token.tokens ? inline(token) : unescaped(token.text);
    case "escape":
      return unescaped(token.text);
    default:
      return token.raw;
  }
}

function Link({ href, children }: { href: string; children: ComponentChildren }) {
  if (!/^(https?:|mailto:)/i.test(href)) return <>{children}</>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

const ENTITIES: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
const unescaped = (text: string): string =>
  text.replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity] ?? "");
