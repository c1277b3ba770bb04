import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { bodies, headers } from "../backends/answers.js";
import { lastWords } from "../machine/children.js";
import { freePorts } from "../machine/ports.js";
import { startContender } from "./start.js";

const requests = 20;

/** Checks the features that a contender claims. Rejects with its name and the failure. */
export async function check(contender, backends, load) {
  try {
    if (!contender.claims.includes("http1")) return await withContender(contender, backends.ports.app, checkHttp2);
    await withContender(contender, backends.ports.app, async ({ port }) => {
      await checkResponses(port);
      const promises = { forwarded: checkForwarded, uploads: checkUpload, balances: checkBalance };
      for (const [claim, holds] of Object.entries(promises)) if (contender.claims.includes(claim)) await holds(port);
      if (contender.claims.includes("tunnels")) await load.hold({ port, count: 1 });
      await load.release();
    });
    if (contender.claims.includes("failover")) await checkFailover(contender, backends);
  } catch (error) {
    const message = `${contender.title} does not do what it should: ${error.message}`;
    throw new Error(`${message}\n\nLast on stderr:\n${lastWords()}`, { cause: error });
  }
}

/** Checks the responses that the workloads request. */
export async function checkAnswer(port, target) {
  const response = await ask(port, target);
  const body = await response.text();
  assert.equal(response.status, 200, target);
  if (Object.hasOwn(bodies, target)) assert.equal(body, bodies[target], `the body of ${target}`);
}

async function checkResponses(port) {
  for (const target of Object.keys(bodies)) await checkAnswer(port, target);
  const response = await ask(port, "/small");
  await response.text();
  for (const [name, value] of Object.entries(headers)) assert.equal(response.headers.get(name), value, name);
  const seen = await echo(port, "/echo?a=%2F&b", { headers: { "X-Asked": "for this" } });
  assert.equal(seen.url, "/echo?a=%2F&b");
  assert.equal(seen.headers["x-asked"], "for this");
}

/** With prior knowledge. */
async function checkHttp2({ port }) {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    for (const target of Object.keys(bodies)) {
      const stream = session.request({ ":path": target });
      const [head] = await once(stream, "response", { signal: AbortSignal.timeout(10_000) });
      assert.equal(head[":status"], 200, target);
      assert.equal(await text(stream), bodies[target], `the body of ${target}`);
    }
  } finally {
    session.destroy();
  }
}

async function checkForwarded(port) {
  const seen = await echo(port, "/echo");
  assert.match(seen.headers["x-forwarded-for"] ?? "", /127\.0\.0\.1$/, "X-Forwarded-For");
  assert.equal(seen.headers["x-forwarded-proto"], "http", "X-Forwarded-Proto");
}

async function checkUpload(port) {
  const body = randomBytes(300_000);
  const seen = await echo(port, "/echo", { method: "POST", body });
  assert.equal(seen.bytes, body.length, "bytes of an upload");
  assert.equal(seen.hash, createHash("sha256").update(body).digest("hex"), "an upload's hash");
}

async function checkBalance(port) {
  const reached = new Set();
  for (let count = 0; count < requests; count++) reached.add((await echo(port, "/echo")).port);
  assert.equal(reached.size, 2, "upstreams reached");
}

/** One of two upstreams is down: no request may fail. */
async function checkFailover(contender, backends) {
  const [nobody] = await freePorts(1);
  await withContender(contender, [nobody, backends.ports.app[0]], async ({ port }) => {
    for (let count = 0; count < requests; count++) await checkAnswer(port, "/small");
  });
}

async function withContender(contender, ports, use) {
  const running = await startContender(contender, ports);
  try {
    await use(running);
  } finally {
    await running.stop();
  }
}

async function echo(port, target, options) {
  const response = await ask(port, target, options);
  assert.equal(response.status, 200, target);
  const { rawHeaders, ...seen } = await response.json();
  const fields = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1]]] : [],
  );
  return { ...seen, headers: Object.fromEntries(fields) };
}

function ask(port, target, options = {}) {
  return fetch(`http://127.0.0.1:${port}${target}`, { ...options, signal: AbortSignal.timeout(10_000) });
}
