import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Api } from "./api.ts";
import type { Sessions } from "./sidebar/use-sessions.ts";
import type { Identity } from "./sign-in.ts";
import type { Notice } from "./ui/notices.tsx";

/** The things that every view needs. */
interface AppServices {
  api: Api;
  identity: Identity;
  sessions: Sessions;
  notify(notice: Notice): void;
  /** Announces a text to screen readers. */
  announce(text: string): void;
}

export const AppContext = createContext<AppServices | undefined>(undefined);

export function useApp(): AppServices {
  const app = useContext(AppContext);
  if (!app) throw new Error("useApp is called outside of the app");
  return app;
}
