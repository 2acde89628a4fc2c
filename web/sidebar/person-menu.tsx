import { useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { readTheme, setTheme, type Theme } from "../preferences.ts";
import type { Location } from "../route.ts";
import { texts } from "../texts.ts";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

/** The menu of the person: the other views, the colour scheme and the sign-out. */
export function PersonMenu({ current, onShowKeys }: { current: Location; onShowKeys: () => void }) {
  const { identity } = useApp();
  const [theme, chooseTheme] = useState(readTheme());
  const shown = current.view === "audit" ? "operations" : current.view;
  const link = (view: Location["view"], text: string) => (
    <a href={`#/${view}`} aria-current={shown === view ? "page" : undefined}>
      {text}
    </a>
  );
  return (
    <footer class="person">
      {link("memory", texts.nav.memory)}
      {link("data", texts.nav.data)}
      {identity.isAdmin && link("operations", texts.nav.operations)}
      <label>
        {texts.nav.theme}
        <select
          value={theme}
          onChange={({ currentTarget }) => {
            const chosen = currentTarget.value as Theme;
            setTheme(chosen);
            chooseTheme(chosen);
          }}
        >
          {THEMES.map((name) => (
            <option value={name}>{texts.nav.themes[name]}</option>
          ))}
        </select>
      </label>
      <button type="button" class="text" onClick={onShowKeys}>
        {texts.nav.keys}
      </button>
      <div class="signed-in">
        <span class="name" title={texts.nav.person(identity.name)}>
          {identity.name}
        </span>
        <button type="button" class="text" onClick={() => void identity.signOut()}>
          {texts.nav.signOut}
        </button>
      </div>
    </footer>
  );
}
