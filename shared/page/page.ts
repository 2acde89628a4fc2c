/** What the page has to know of its deployment. */
export interface PageSettings {
  /** The OpenID Connect issuer with which people sign in. */
  issuer: string;
  clientId: string;
  /** Origins that the page may call beside its own and the issuer's. */
  origins: readonly string[];
}

/** The place of the settings in `web/index.html`. */
const SETTINGS = "%settings%";

/** Writes the settings into the page. They stand in an attribute, because the page's policy allows no inline script. */
export function renderPage(html: string, { issuer, clientId }: PageSettings): string {
  return html.replace(SETTINGS, () => escapeAttribute(JSON.stringify({ issuer, client_id: clientId })));
}

/** Headers of the page. Its policy allows the page's own files, and no script or style inside of the HTML. */
export function pageHeaders({ issuer, origins }: PageSettings): Record<string, string> {
  const others = [issuer, ...origins].map(originOf).filter(Boolean).join(" ");
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data: blob: ${others}`,
    `connect-src 'self' ${others}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "content-security-policy": policy.join("; "),
  };
}

const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "");

const escapeAttribute = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
