import { html, render } from "./vendor/preact.js";

const root = document.getElementById("app");
if (root !== null) {
  root.textContent = "";
  render(html`<main><h1>Evenkeel</h1></main>`, root);
}
