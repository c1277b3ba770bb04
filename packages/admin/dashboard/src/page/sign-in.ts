/** The form for the token. The token goes to the server once, which keeps the session in a cookie that scripts cannot read. */

import { ApiError } from "../data/api.ts";
import { html, useState, type VNode } from "../vendor/preact.js";
import { logo } from "./icons.ts";

interface Props {
  /** There was a session. */
  readonly hasEnded: boolean;
  readonly signIn: (token: string) => Promise<void>;
}

export function SignIn({ hasEnded, signIn }: Props): VNode {
  const [trouble, setTrouble] = useState("");
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const input = form.elements.namedItem("token") as HTMLInputElement;
    setBusy(true);
    try {
      await signIn(input.value.trim());
    } catch (error) {
      setBusy(false);
      setTrouble(explain(error));
      input.select();
    }
  };
  return html`<main class="sign-in">
    <form onSubmit=${(event: SubmitEvent) => void submit(event)} autocomplete="off">
      <div class="sign-in-brand">${logo()}<h1>Evenkeel</h1></div>
      <p class="dim">Sign in to <span class="mono">${location.host}</span></p>
      ${hasEnded && html`<p role="status">Your session has ended. It ends after 12 hours, and with each restart of the proxy.</p>`}
      <label for="token">Token</label>
      <input id="token" name="token" type="password" required autofocus autocomplete="off" spellcheck=${false}
        aria-describedby="token-note" aria-invalid=${trouble !== ""} />
      <p id="token-note" class="dim">The value of <code>token</code> or <code>readToken</code> in the <code>[admin]</code> table of the configuration.</p>
      <p class="tone-bad" role="alert">${trouble}</p>
      <button class="primary" disabled=${isBusy}>${isBusy ? "Signing in" : "Sign in"}</button>
    </form>
  </main>`;
}

function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return "The server cannot be reached. Try again.";
  if (error.status === 401) return "This is not the token of this server.";
  if (error.status === 429) return "Too many wrong tokens. Wait a few seconds, then try again.";
  return `The server refuses to sign in: ${error.message}`;
}
