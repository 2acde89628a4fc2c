/** What the function that serves the page has written into it. */
interface Settings {
  issuer: string;
  client_id: string;
}

export const settings: Settings = JSON.parse(
  document.querySelector<HTMLMetaElement>("meta[name=memocha]")?.content ?? "{}",
);

/** The URL of the page without query and hash: the base of the API, and where the issuer sends people back to. */
export const baseUrl: string = new URL(".", location.href.replace(/[?#].*/, "")).href;
