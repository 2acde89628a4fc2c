/** The settings that the function which serves the page has written into it. */
interface Settings {
  issuer: string;
  client_id: string;
}

export const settings: Settings = JSON.parse(
  document.querySelector<HTMLMetaElement>("meta[name=memocha]")?.content ?? "{}",
);

/** The URL of the page without query and hash. It is the base of the API, and the issuer redirects people to it. */
export const baseUrl: string = new URL(".", location.href.replace(/[?#].*/, "")).href;
