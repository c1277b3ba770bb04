import { LiveData } from "./data/live-data.ts";
import { App } from "./page/app.ts";
import { updateTab } from "./page/update-tab.ts";
import { html, render } from "./vendor/preact.js";

const root = document.getElementById("app");
if (root !== null) {
  root.textContent = "";
  let isScheduled = false;
  const show = () => {
    isScheduled = false;
    updateTab(data);
    render(html`<${App} data=${data} />`, root);
  };
  const data = new LiveData(() => {
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(show, 0);
  });
  show();
  data.start();
}
