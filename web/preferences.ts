// All data that the page keeps in the browser: preferences, drafts and, until the tab is closed, the ids of running jobs of the person.

export type Theme = "system" | "light" | "dark";

const THEME = "theme";
const DRAFT = "draft:";

/** The jobs that the API runs for a person. */
export type JobKind = "export" | "erasure";

export const readTheme = (): Theme => (read("localStorage", THEME) as Theme | null) ?? "system";

/** Applies a colour scheme and keeps it. */
export function setTheme(theme: Theme): void {
  write("localStorage", THEME, theme === "system" ? "" : theme);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = readTheme();
}

/** The prefix of the names of a user's drafts. It ends with a colon, so that `ann` does not find the drafts of `anna`. */
const draftsOf = (user: string): string => `${DRAFT}${encodeURIComponent(user)}:`;

/** The draft of a user in a session: text that is typed but not sent. */
export const readDraft = (user: string, session: string): string =>
  read("localStorage", draftsOf(user) + session) ?? "";

export function writeDraft(user: string, session: string, text: string): void {
  write("localStorage", draftsOf(user) + session, text);
}

/** Deletes the drafts of a user in all sessions. */
export function forgetDrafts(user: string): void {
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(draftsOf(user))) localStorage.removeItem(name);
  } catch {
    // Ignore the error: the browser forbids storage, so there are no drafts.
  }
}

/** The id of the export or erasure that a user has begun last in this tab. */
export const readJob = (user: string, kind: JobKind): string => read("sessionStorage", `${kind}:${user}`) ?? "";

export function writeJob(user: string, kind: JobKind, id: string): void {
  write("sessionStorage", `${kind}:${user}`, id);
}

type Storage = "localStorage" | "sessionStorage";

// If a browser forbids all storage, the access to `localStorage` itself throws.
function read(storage: Storage, key: string): string | null {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

function write(storage: Storage, key: string, value: string): void {
  try {
    if (value === "") window[storage].removeItem(key);
    else window[storage].setItem(key, value);
  } catch {
    // The value is kept only until the page is closed.
  }
}
