// The only data that the page keeps in the browser: preferences and drafts.

export type Theme = "system" | "light" | "dark";

const THEME = "theme";
const DRAFT = "draft:";

export const readTheme = (): Theme => (read(THEME) as Theme | null) ?? "system";

/** Applies a colour scheme and keeps it. */
export function setTheme(theme: Theme): void {
  write(THEME, theme === "system" ? "" : theme);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = readTheme();
}

/** The text that a user has typed and not sent, by user and session. */
export const readDraft = (user: string, session: string): string => read(DRAFT + user + session) ?? "";

export function writeDraft(user: string, session: string, text: string): void {
  write(DRAFT + user + session, text);
}

// A browser may forbid all storage.
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    if (value === "") localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // The preference holds until the page is closed.
  }
}
