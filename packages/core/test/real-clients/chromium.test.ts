import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { large, sha256, temporaryFolder } from "../support/client-programs.ts";
import { until } from "../support/event-loop.ts";
import { serve } from "../support/serve.ts";
import { hasProgram } from "../support/server-programs.ts";
import { bodyOf } from "../support/start-upstream.ts";
import { startEcho } from "../support/web-sockets.ts";

/** Tries what a page can do, and posts the results. */
const page = `<!doctype html>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<script src="/script.js"></script>
<img src="/image.svg" id="image">
<script type="module">
const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const digest = async (bytes) => hex(await crypto.subtle.digest("SHA-256", bytes));
const loaded = new Promise((resolve) => addEventListener("load", resolve));
const tasks = {
  resources: async () => {
    await loaded;
    const { color } = getComputedStyle(document.body);
    return [color, window.scriptRan, document.querySelector("#image").naturalWidth];
  },
  many: async () => {
    const texts = await Promise.all(Array.from({ length: 100 }, async (_, i) => (await fetch("/number/" + i)).text()));
    return texts.join(" ");
  },
  download: async () => digest(await (await fetch("/large")).arrayBuffer()),
  upload: async () => {
    const body = new Uint8Array(await (await fetch("/large")).arrayBuffer());
    return (await fetch("/hash", { method: "POST", body })).text();
  },
  stream: async () => {
    const body = new Blob(["streamed ", "upload"]).stream();
    return (await fetch("/hash", { method: "POST", body, duplex: "half" })).text();
  },
  half: () => fetch("/half").then((response) => response.text()).catch((error) => error.name),
  events: () => new Promise((resolve) => {
    const source = new EventSource("/events");
    const received = [];
    source.onmessage = ({ data }) => {
      received.push(data);
      if (received.length < 3) return void fetch("/next");
      source.close();
      resolve(received);
    };
  }),
  webSocket: () => new Promise((resolve, reject) => {
    const socket = new WebSocket("wss://" + location.host + "/chat", ["a", "b"]);
    const received = [];
    const sent = ["hellö", "x".repeat(200_000), ""];
    socket.onopen = () => socket.send(sent[0]);
    socket.onerror = () => reject(new Error("the WebSocket failed"));
    socket.onmessage = ({ data }) => {
      received.push(data === sent[received.length]);
      if (received.length < sent.length) socket.send(sent[received.length]);
      else socket.close(4321, "enough");
    };
    socket.onclose = ({ code, wasClean }) => resolve([socket.protocol, ...received, code, wasClean]);
  }),
};
const settled = Object.entries(tasks).map(async ([name, task]) => [name, await task().catch(String)]);
const results = Object.fromEntries(await Promise.all(settled));
await fetch("/report", { method: "POST", body: JSON.stringify(results) });
</script>`;

const pages: Readonly<Record<string, readonly [type: string, body: string | Buffer]>> = {
  "/": ["text/html; charset=utf-8", page],
  "/style.css": ["text/css", "body { color: rgb(1, 2, 3) }"],
  "/script.js": ["text/javascript", "window.scriptRan = true"],
  "/image.svg": ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="5"/>'],
  "/large": ["application/octet-stream", large],
};

test.skipIf(!hasProgram("chromium"))("Chromium over TLS and HTTP/2", async () => {
  const upstream = await startEcho();
  let report: unknown;
  let events: ServerResponse | undefined;
  let count = 0;
  const respond = async (req: IncomingMessage, res: ServerResponse) => {
    const { url = "" } = req;
    const body = await bodyOf(req);
    const [type, content] = pages[url] ?? [];
    if (type !== undefined) return void res.writeHead(200, { "Content-Type": type }).end(content);
    if (url === "/events") {
      events = res.writeHead(200, { "Content-Type": "text/event-stream" });
      return void res.write(`data: ${count++}\n\n`);
    }
    if (url === "/next") events?.write(`data: ${count++}\n\n`);
    if (url === "/half") return void res.writeHead(200, { "Content-Length": 10 }).write("half", () => res.destroy());
    if (url === "/report") report = JSON.parse(String(body));
    res.end(url === "/hash" ? sha256(body) : url);
  };
  upstream.answer = (req, res) => void respond(req, res);
  const { url, requests } = await serve({ upstreams: [upstream.url], retry: { attempts: 1 } }, { tls: { cert, key } });

  const output = startChromium(url);
  await until(() => report !== undefined || output.over);
  expect(report, output.text).toEqual({
    resources: ["rgb(1, 2, 3)", true, 7],
    many: Array.from({ length: 100 }, (_, index) => `/number/${index}`).join(" "),
    download: sha256(large),
    upload: sha256(large),
    stream: sha256(Buffer.from("streamed upload")),
    half: "TypeError",
    events: ["0", "1", "2"],
    webSocket: ["b", true, true, true, 4_321, true],
  });
  await until(() => requests.some(({ status }) => status === 101));
  const kinds = requests.map(({ protocol, url: target, status }) => `${protocol} ${target === "/chat" ? status : ""}`);
  expect(new Set(kinds)).toEqual(new Set(["HTTP/2.0 ", "HTTP/2.0 101"]));
});

/** Opens the page. The browser is ended when the test is. */
function startChromium(url: string): { readonly text: string; readonly over: boolean } {
  const folder = temporaryFolder();
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
  args.push(
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
  );
  args.push("--ignore-certificate-errors", `--user-data-dir=${folder}`, "--remote-debugging-port=0", url);
  const child = spawn("chromium", args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  const output = { text: "", over: false };
  child.stderr.on("data", (bytes: Buffer) => {
    output.text += bytes.toString();
  });
  const ended = new Promise<void>((resolve) => {
    child.on("close", () => {
      output.over = true;
      resolve();
    });
  });
  onTestFinished(async () => {
    // With its renderers and helpers.
    if (!output.over) process.kill(-(child.pid as number), "SIGKILL");
    await ended;
  });
  return output;
}
