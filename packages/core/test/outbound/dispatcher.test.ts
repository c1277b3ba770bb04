import { Writable } from "node:stream";
import { Dispatcher, errors, request, stream } from "undici";
import { describe, expect, test } from "vitest";
import { outbound } from "../../src/outbound/outbound.ts";
import { Pool } from "../../src/pool/pool.ts";
import { turns, until } from "../support/event-loop.ts";
import { bodyOf, startRawUpstream, startUpstream } from "../support/start-upstream.ts";

function dispatcherTo(...urls: string[]) {
  const pool = new Pool("api", { upstreams: urls });
  return { pool, dispatcher: outbound(pool).dispatcher };
}

/** A handler that records each call as one line in `heard`. `hear` may return false to pause, or throw. */
function listener(
  kind: "callbacks" | "controller",
  hear: (what: string, resume: () => void, abort: (reason?: Error) => void) => unknown = () => true,
) {
  const heard: string[] = [];
  let done = () => {};
  const over = new Promise<void>((resolve) => {
    done = resolve;
  });
  let abort: (reason?: Error) => void = () => {};
  let resume = () => {};
  const record = (what: string) => {
    heard.push(what);
    return hear(what, () => resume(), abort) !== false;
  };
  const last = (what: string) => {
    record(what);
    done();
  };
  const callbacks: Dispatcher.DispatchHandler = {
    onConnect: (ending) => {
      abort = ending;
      record("start");
    },
    onHeaders: (status, headers, resuming, text) => {
      resume = resuming;
      return record(`${status} ${text} ${headers.filter((part) => Buffer.isBuffer(part)).length}`);
    },
    onData: (chunk) => record(String(chunk)),
    onComplete: () => last("end"),
    onError: (error) => last(`error ${error.name}`),
  };
  const pausing = (controller: Dispatcher.DispatchController, what: string) => {
    resume = () => controller.resume();
    if (!record(what)) controller.pause();
  };
  const controlled: Dispatcher.DispatchHandler = {
    onRequestStart: (controller) => {
      abort = (reason) => controller.abort(reason as Error);
      record("start");
    },
    onResponseStart: (controller, status, headers, text) =>
      pausing(controller, `${status} ${text} ${Object.keys(headers).length * 2}`),
    onResponseData: (controller, chunk) => pausing(controller, String(chunk)),
    onResponseEnd: () => last("end"),
    onResponseError: (_controller, error) => last(`error ${error.name}`),
  };
  return { handler: kind === "callbacks" ? callbacks : controlled, heard, over };
}

const get = { origin: "http://api", path: "/", method: "GET" } as const;
const inTwo = "HTTP/1.1 200 Fine\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";

test("a load report is removed from interim responses, response headers and trailers", async () => {
  const upstream = await startRawUpstream((socket) => {
    socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Load: 0.9\r\n\r\n");
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Load: 0.25\r\n\r\n");
    socket.write("2\r\nok\r\n0\r\nX-Load: 0.9\r\nX-Sum: 1\r\n\r\n");
  });
  const pool = new Pool("api", { upstreams: [upstream.url], weights: { mode: "announced", header: "x-load" } });
  const heard: string[] = [];
  const hear = (raw: readonly (Buffer | string)[] | null) =>
    heard.push((raw ?? []).map(String).join(" ").toLowerCase());
  await new Promise<void>((resolve, reject) => {
    outbound(pool).dispatcher.dispatch(get, {
      onConnect() {},
      onHeaders: (_status, raw) => hear(raw) > 0,
      onData: () => true,
      onComplete: (trailers) => {
        hear(trailers);
        resolve();
      },
      onError: reject,
    });
  });
  expect(heard).toEqual(["link </a>", "transfer-encoding chunked", "x-sum 1"]);
  expect(pool.upstreams[0]?.effectiveWeight).toBe(0.75);
  pool.close();
});

describe.each(["callbacks", "controller"] as const)("a handler with %s", (kind) => {
  test("gets all calls in order", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(inTwo));
    const { pool, dispatcher } = dispatcherTo(upstream.url);
    const { handler, heard, over } = listener(kind);
    expect(dispatcher.dispatch(get, handler)).toBe(true);
    await over;
    expect(heard).toEqual(["start", "200 Fine 4", "one", "two", "end"]);
    pool.close();
  });

  test("that pauses gets nothing until it resumes", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(inTwo));
    const { pool, dispatcher } = dispatcherTo(upstream.url);
    let resume = () => {};
    const { handler, heard, over } = listener(kind, (_what, resuming) => {
      resume = resuming;
      return false;
    });
    dispatcher.dispatch(get, handler);
    for (const count of [2, 3, 4]) {
      await until(() => heard.length >= count);
      await turns(20);
      expect(heard).toHaveLength(count);
      resume();
    }
    await over;
    expect(heard).toEqual(["start", "200 Fine 4", "one", "two", "end"]);
    pool.close();
  });

  test("that aborts before, during or after the response gets its own reason", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(inTwo));
    const { pool, dispatcher } = dispatcherTo(upstream.url);
    for (const [when, heardThen] of [
      ["start", ["start", "error TimeoutError"]],
      ["200 Fine 4", ["start", "200 Fine 4", "error TimeoutError"]],
      ["one", ["start", "200 Fine 4", "one", "error TimeoutError"]],
    ] as const) {
      const reason = Object.assign(new Error("too late"), { name: "TimeoutError" });
      const { handler, heard, over } = listener(kind, (what, _resume, abort) => {
        if (what === when) abort(reason);
      });
      dispatcher.dispatch(get, handler);
      await over;
      await turns(20);
      expect(heard).toEqual(heardThen);
    }
    expect(pool.inFlight).toBe(0);
    pool.close();
  });

  test("that throws ends its own request only", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(inTwo));
    const { pool, dispatcher } = dispatcherTo(upstream.url);
    for (const when of ["start", "200 Fine 4", "one", "end"]) {
      const { handler, heard, over } = listener(kind, (what) => {
        if (what === when) throw new RangeError("a bug");
      });
      dispatcher.dispatch(get, handler);
      if (when !== "end") {
        await over;
        expect(heard.at(-1)).toBe("error RangeError");
      } else {
        await until(() => heard.includes("end"));
      }
    }
    const { handler, heard, over } = listener(kind);
    dispatcher.dispatch(get, handler);
    await over;
    expect(heard).toContain("end");
    expect(pool.inFlight).toBe(0);
    pool.close();
  });
});

describe("the dispatcher", () => {
  test("works with the fetch of Node and its version of undici", async () => {
    const upstream = await startUpstream("up", (req, res) => {
      res.setHeader("Set-Cookie", ["a=1", "b=2"]);
      void bodyOf(req).then((body) => res.end(`${req.method} ${req.url} ${body.toString()}`));
    });
    const { pool, dispatcher } = dispatcherTo(upstream.url);
    // The types of Node use another version of undici.
    const init = (more: RequestInit = {}) => ({ ...more, dispatcher }) as unknown as RequestInit;
    const response = await fetch("http://api.pool/x?y", init({ method: "POST", body: "body" }));
    expect(response).toBeInstanceOf(Response);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.text()).toBe("POST /x?y body");
    await expect(fetch("http://elsewhere/", init())).rejects.toMatchObject({ cause: { code: "no_route" } });
    const aborted = fetch("http://api.pool/", init({ signal: AbortSignal.timeout(0) }));
    await expect(aborted).rejects.toMatchObject({ name: "TimeoutError" });
    pool.close();
  });

  test("works with request and stream of undici, and all forms of headers and bodies", async () => {
    const upstream = await startUpstream("up", (req, res) => {
      void bodyOf(req).then((body) => res.end(`${req.url} ${req.rawHeaders.join()} ${body.toString()}`));
    });
    const { pool, dispatcher } = dispatcherTo(upstream.url);
    const forms = [
      { "X-A": "1" },
      ["X-A", "1"],
      [["X-A", "1"]],
      new Map([["X-A", ["1"]]]),
      new Headers({ "X-A": "1" }),
    ];
    for (const headers of forms) {
      const { body } = await request("http://api/", { dispatcher, headers: headers as string[], query: { q: "1" } });
      expect((await body.text()).toLowerCase()).toContain("/?q=1 host,127.0.0.1");
    }
    const drop = { Connection: "X-Own, close", "X-Own": "1", TE: "trailers", "Transfer-Encoding": "chunked" };
    const kept = await request("http://api/", { dispatcher, headers: { ...drop, Host: "own.host", "X-A": "1" } });
    expect(await kept.body.text()).toBe("/ Host,own.host,X-A,1 ");
    for (const body of [
      "text",
      Buffer.from("text"),
      new Blob(["text"]),
      (async function* () {
        yield "text";
      })(),
    ]) {
      const response = await request("http://api/", { dispatcher, method: "PUT", body: body as string });
      expect(await response.body.text()).toMatch(/ text$/);
    }
    const chunks: Buffer[] = [];
    await stream(
      "http://api/s",
      { dispatcher, method: "GET" },
      () =>
        new Writable({
          write: (chunk: Buffer, _encoding, done) => {
            chunks.push(chunk);
            done();
          },
        }),
    );
    expect(Buffer.concat(chunks).toString()).toMatch(/^\/s /);
    pool.close();
  });

  test("refuses requests that cannot be sent to a pool", async () => {
    const whole: (string | undefined)[] = [];
    const upstream = await startUpstream("up", (req) => void req.resume().on("end", () => whole.push(req.url)));
    const { pool, dispatcher } = dispatcherTo(`${upstream.url}/base`);
    const dispatched = async (options: object) => {
      const codes: string[] = [];
      dispatcher.dispatch(
        { ...get, ...options },
        { onRequestStart() {}, onResponseError: (_c, e) => void codes.push((e as { code?: string }).code ?? "") },
      );
      await until(() => codes.length > 0);
      return codes;
    };
    expect(await dispatched({ path: "/a/../../admin" })).toEqual(["bad_request"]);
    expect(await dispatched({ path: "no-slash" })).toEqual(["bad_request"]);
    expect(await dispatched({ upgrade: "websocket" })).toEqual(["not_implemented"]);
    expect(await dispatched({ method: "CONNECT" })).toEqual(["not_implemented"]);
    expect(await dispatched({ body: 7 })).toEqual(["bad_request"]);
    expect(await dispatched({ method: "PUT", body: [Buffer.from("abc")], headers: { "content-length": "2" } })).toEqual(
      ["bad_request"],
    );
    expect(await dispatched({ method: "PUT", body: [Buffer.from("abc")], headers: { "content-length": "4" } })).toEqual(
      ["bad_request"],
    );
    expect(await dispatched({ headers: { "X-A": "a\r\nX-B: b" } })).toEqual(["internal"]);
    // Two of them reached the upstream, but never completely.
    expect(whole).toEqual([]);
    pool.close();
  });

  test("`close` waits for requests in flight, `destroy` ends them", async () => {
    let respond = () => {};
    const upstream = await startUpstream("up", (_req, res) => {
      respond = () => void res.end("late");
    });
    const { pool, dispatcher } = dispatcherTo(upstream.url);
    const late = request("http://api/", { dispatcher });
    await until(() => upstream.received.length === 1);
    let closed = false;
    const closing = dispatcher.close().then(() => {
      closed = true;
    });
    await expect(request("http://api/", { dispatcher })).rejects.toMatchObject({ code: "closed" });
    expect(closed).toBe(false);
    respond();
    expect(await (await late).body.text()).toBe("late");
    await closing;

    const other = outbound(pool).dispatcher;
    const hanging = request("http://api/", { dispatcher: other });
    await until(() => upstream.received.length === 2);
    const destroyed = new Promise<void>((resolve) => {
      other.destroy(new errors.ClientDestroyedError(), () => resolve());
    });
    await expect(hanging).rejects.toMatchObject({ code: "UND_ERR_DESTROYED" });
    await destroyed;
    expect(pool.inFlight).toBe(0);
    expect(other).toBeInstanceOf(Dispatcher);
    pool.close();
  });
});
