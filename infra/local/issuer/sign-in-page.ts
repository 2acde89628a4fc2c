/** An answer of the issuer. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.55 system-ui, sans-serif; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
  main { width: min(24rem, calc(100vw - 2rem)); }
  h1 { font-size: 20px; }
  form, fieldset { display: grid; gap: 12px; }
  fieldset { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 10px; padding: 16px; }
  button, input[type=text] { font: inherit; padding: 8px 12px; border-radius: 10px; border: 1px solid #777; }
  button { cursor: pointer; }
  label { display: flex; gap: 8px; align-items: center; }
  label.text { display: grid; gap: 4px; }
`;

/** The page on which a developer chooses who to be. Its form goes to the same URL, which has the request's parameters. */
export function signInPage(query: URLSearchParams): Reply {
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in · local issuer</title>
<style>${STYLE}</style>
<main>
  <h1>Who do you want to be?</h1>
  <p>This is the issuer of your machine. It asks for no password.</p>
  <form method="post" action="authorize?${escapeHtml(query.toString())}">
    <button name="user" value="dev">Continue as <b>dev</b></button>
    <button name="user" value="admin">Continue as <b>admin</b>, who sees operations</button>
  </form>
  <form method="post" action="authorize?${escapeHtml(query.toString())}">
    <fieldset>
      <legend>Another user</legend>
      <label class="text">Name <input type="text" name="name" required maxlength="200" autocomplete="off"></label>
      <label><input type="checkbox" name="admin" value="yes"> is an admin</label>
      <button>Continue</button>
    </fieldset>
  </form>
</main>
`;
  return {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
    body,
  };
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
