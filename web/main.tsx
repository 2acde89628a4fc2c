import { render } from "preact";
import { App } from "./app.tsx";
import { applyTheme } from "./preferences.ts";
import { finishSignIn, hasSignedOut, leaveToSignIn } from "./sign-in.ts";
import { texts } from "./texts.ts";

const root = document.querySelector("#app") as HTMLElement;

/** The page without a signed-in person: the reason, and the button to sign in. */
function Entry({ text, detail }: { text: string; detail?: string }) {
  return (
    <main class="entry">
      <h1>{texts.name}</h1>
      <p role="alert">{text}</p>
      {detail && <p class="quiet">{detail}</p>}
      <button type="button" class="primary" onClick={() => void start(true)}>
        {texts.signIn.again}
      </button>
    </main>
  );
}

async function start(isAsked = false): Promise<void> {
  try {
    const identity = await finishSignIn();
    if (identity) render(<App identity={identity} />, root);
    else if (hasSignedOut() && !isAsked) render(<Entry text={texts.signIn.signedOut} />, root);
    else {
      render(<p class="entry quiet">{texts.signIn.leaving}</p>, root);
      await leaveToSignIn();
    }
  } catch (error) {
    console.error(error);
    render(<Entry text={texts.signIn.failed} detail={texts.signIn.failedWhat} />, root);
  }
}

applyTheme();
void start();
