/** Asks the server what it would do with a request. Nothing is sent to an upstream. */

import type { PoolOverview } from "@evenkeel/admin";
import { request } from "../data/api.ts";
import { html, useState, type VNode } from "../vendor/preact.js";
import { type Explanation, explanationView } from "./explanation-view.ts";

type Result = { readonly explanation: Explanation } | { readonly trouble: string };

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

export function ExplainForm({ pool }: { readonly pool: PoolOverview }): VNode {
  const [values, setValues] = useState({ method: "GET", url: "/", host: "", header: "" });
  const [result, setResult] = useState<Result | undefined>(undefined);
  const set = (name: keyof typeof values) => (event: Event) =>
    setValues({ ...values, [name]: (event.currentTarget as HTMLInputElement).value });

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const { method, url, host, header } = values;
    const query = new URLSearchParams({ method, url });
    if (host.trim() !== "") query.set("host", host.trim());
    if (header.trim() !== "") query.set("header", header.trim());
    try {
      setResult({ explanation: await request<Explanation>("GET", `api/explain?${query}`) });
    } catch (error) {
      setResult({ trouble: error instanceof Error ? error.message : "the server cannot be reached" });
    }
  };

  return html`<section class="explain" aria-labelledby="explain-title">
    <h3 id="explain-title">Explain a request</h3>
    <form onSubmit=${(event: SubmitEvent) => void submit(event)}>
      <select aria-label="Method" onChange=${set("method")}>${methods.map((method) => html`<option selected=${method === values.method}>${method}</option>`)}</select>
      <input class="mono grow" aria-label="Path or URL" required placeholder="/path or URL" autocomplete="off" spellcheck=${false} value=${values.url} onInput=${set("url")} />
      <button class="primary">Explain</button>
      <input class="mono half" aria-label="Host" placeholder="Host (optional)" autocomplete="off" spellcheck=${false} value=${values.host} onInput=${set("host")} />
      <input class="mono half" aria-label="Header" placeholder="Name: value (optional)" autocomplete="off" spellcheck=${false} value=${values.header} onInput=${set("header")} />
    </form>
    <div aria-live="polite">
      ${result !== undefined && ("trouble" in result ? html`<p class="tone-bad">${result.trouble}</p>` : explanationView(result.explanation, pool.name))}
    </div>
  </section>`;
}
