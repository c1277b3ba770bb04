import { describe, expect, onTestFinished, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import type { ProxyError } from "../../src/errors.ts";
import type { ExceptionEvent } from "../../src/events.ts";
import type { Hooks } from "../../src/forward/hooks.ts";
import { until } from "../support/event-loop.ts";
import { type ForwardLab, startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

const bug = new Error("my own bug");

const throws = (): never => {
  throw bug;
};

/** A proxy over one upstream, with what it reports of exceptions. */
function start(hooks: Hooks, more: Partial<PoolOptions> = {}) {
  const upstream = scriptedUpstream("a");
  const lab = startLab({ upstreams: [upstream.url], ...more }, hooks);
  return { upstream, lab, exceptions: exceptionsOf(lab) };
}

function exceptionsOf(lab: ForwardLab): ExceptionEvent[] {
  const exceptions: ExceptionEvent[] = [];
  lab.on("exception", (event) => exceptions.push(event));
  return exceptions;
}

describe("an exception is reported, and is the cause of its request's error", () => {
  test.each<[string, Hooks]>([
    ["throws", { onRequest: throws }],
    ["rejects", { onRequest: () => Promise.reject(bug) }],
  ])("of onRequest that %s", async (_how, hooks) => {
    const { lab, exceptions } = start(hooks);
    const { status, text } = await lab.fetch();
    expect([status, text]).toEqual([500, expect.not.stringContaining("bug")]);
    const [event] = await lab.finished(1);
    expect(event).toMatchObject({ error: "request_hook_failed" });
    expect(event?.cause).toBe(bug);
    expect(exceptions).toEqual([{ where: "onRequest", requestId: event?.requestId, pool: "default", error: bug }]);
  });

  test("of onResponse", async () => {
    const { lab, exceptions } = start({ onResponse: throws });
    expect((await lab.fetch()).status).toBe(502);
    expect((await lab.finished(1))[0]?.cause).toBe(bug);
    expect(exceptions).toMatchObject([{ where: "onResponse", error: bug }]);
  });

  test("of a policy", async () => {
    const { lab, exceptions } = start({}, { balance: { name: "mine", pick: throws } });
    expect((await lab.fetch()).status).toBe(500);
    expect((await lab.finished(1))[0]).toMatchObject({
      error: "policy_failed",
      cause: { code: "policy_failed", cause: bug },
    });
    expect(exceptions).toMatchObject([{ where: "policy", error: { cause: bug } }]);
  });

  test("of onError, which changes nothing for the request", async () => {
    const { lab, exceptions } = start({ onRequest: throws, onError: throws });
    expect((await lab.fetch()).headers["proxy-status"]).toContain("request_hook_failed");
    expect((await lab.finished(1))[0]?.cause).toBe(bug);
    expect(exceptions.map(({ where }) => where)).toEqual(["onRequest", "onError"]);
  });

  test("of hooks that are async although nothing waits for them", async () => {
    const hooks = { onResponse: async () => throws(), onError: async () => throws() };
    const { lab, exceptions } = start(hooks);
    expect((await lab.fetch()).text).toBe("a");
    await until(() => exceptions.length === 1);
    const down = startLab({ pools: { none: {} } }, hooks);
    const exceptionsDown = exceptionsOf(down);
    expect((await down.fetch()).status).toBe(503);
    await until(() => exceptionsDown.length === 1);
  });

  test("and is given to whatever answers in the proxy's place", async () => {
    const seen: unknown[] = [];
    const { lab } = start({ onRequest: throws, onError: ({ cause }) => void seen.push(cause) });
    lab.on("exception", () => {});
    const errors: ProxyError[] = [];
    const onError = (error: ProxyError) => {
      errors.push(error);
      client.exchange.respondAsApp(500, [], "");
    };
    const client = lab.begin("/app", { options: { onError } });
    await client.ended();
    await lab.fetch("/hook");
    expect(errors.map(({ code, cause }) => [code, cause])).toEqual([["request_hook_failed", bug]]);
    expect(seen).toEqual([bug]);
  });
});

test("the cause says what was wrong with what a hook has set", async () => {
  const changes: readonly NonNullable<Hooks["onRequest"]>[] = [
    (context) => {
      context.pool = "defualt";
    },
    ({ headers }) => headers.set("Connection", "close"),
    (context) => {
      context.path = "x";
    },
    ({ respond }) => respond({ status: 42 }),
    ({ respond }) => respond({ status: 200, body: { ok: true } } as never),
    ({ respond }) => respond({ status: 200, headers: { "X\r\n": "1" } }),
    ({ respond }) => respond(undefined as never),
  ];
  let change = changes[0] as NonNullable<Hooks["onRequest"]>;
  const { lab, upstream } = start({
    onRequest: async (context) => {
      await Promise.resolve();
      return change(context);
    },
  });
  for (change of changes) expect((await lab.fetch()).status).toBe(500);
  const causes = (await lab.finished(changes.length)).map(({ cause }) => (cause as Error).message);
  expect(causes).toEqual([
    'there is no pool "defualt", did you mean "default"?',
    expect.stringMatching(/^the header "Connection" cannot be set: it frames/),
    'the path "x" is no path with a slash in front, without spaces, "#" and control characters',
    "the status of a response is a number from 200 to 599, found 42",
    'the body of a response is a string or bytes, found {"ok":true}',
    'the header name "X\\r\\n" has characters that no header name has',
    expect.any(String),
  ]);
  expect(upstream.received).toEqual([]);
});

test("a value that onRequest returns means nothing", async () => {
  const { lab } = start({ onRequest: (() => 1) as never });
  expect((await lab.fetch()).text).toBe("a");
});

test("while nothing listens the process warns, with the stack, once in a while for each place", async () => {
  const warnings: (Error & { detail?: string })[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  onTestFinished(() => void process.off("warning", onWarning));
  const lab = startLab({ pools: { none: {} } }, { onRequest: throws, onError: throws });
  for (let request = 0; request < 3; request++) expect((await lab.fetch()).status).toBe(500);
  await until(() => warnings.length >= 2);
  expect(warnings.map(({ name, message }) => `${name}: ${message}`)).toEqual([
    "EvenkeelWarning: onRequest failed: my own bug",
    "EvenkeelWarning: onError failed: my own bug",
  ]);
  expect(warnings[0]?.detail).toContain("exceptions.test.ts");
});
