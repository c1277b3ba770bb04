import { EventEmitter } from "node:events";
import { createServer, Server } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Predecessor, type PredecessorChannel } from "../../src/restart/predecessor.ts";
import { type OperatorIntent, type ProcessCounts, protocol } from "../../src/restart/protocol.ts";
import { Successor, type SuccessorChild, type SuccessorHost } from "../../src/restart/successor.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const intent: readonly OperatorIntent[] = [
  { pool: "app", upstream: "a", url: "http://a", weight: { set: 5, configured: 1 }, state: "draining" },
];
const counts = { snapshot: { requests: [] }, listener: { connections: {} } } as unknown as ProcessCounts;

/** Two ends of a channel, as those of a parent and its child: messages are JSON, and handles arrive as objects. */
class Channel {
  readonly killed: string[] = [];
  readonly sent: unknown[] = [];
  #connected = true;
  readonly #child = new EventEmitter();
  readonly #parent = new EventEmitter();

  /** The child process as its parent sees it. */
  readonly child = Object.assign(this.#child, {
    pid: 42,
    kill: (signal: string) => void this.killed.push(signal),
    send: (message: object, ...rest: unknown[]) => this.#deliver(this.#parent, message, rest),
  }) as unknown as SuccessorChild;
  readonly parent = Object.assign(this.#parent, {
    send: (message: object, ...rest: unknown[]) => this.#deliver(this.#child, message, rest),
  }) as unknown as PredecessorChannel;

  constructor() {
    const connected = { get: () => this.#connected };
    Object.defineProperty(this.child, "connected", connected);
    Object.defineProperty(this.parent, "connected", connected);
  }

  disconnect(): void {
    this.#connected = false;
    this.#child.emit("disconnect");
    this.#parent.emit("disconnect");
  }

  /** As the system reports the end of a child: the channel closes afterwards. */
  end(code: number | null, signal: string | null = null): void {
    this.#child.emit("exit", code, signal);
    this.disconnect();
  }

  /** A message of the child that this version does not send. */
  fromChild(message: unknown): void {
    this.#child.emit("message", message);
  }

  fromParent(message: unknown): void {
    this.#parent.emit("message", message);
  }

  #deliver(to: EventEmitter, message: object, rest: unknown[]): boolean {
    const done = rest.pop() as (error: Error | null) => void;
    this.sent.push(message);
    to.emit("message", JSON.parse(JSON.stringify(message)), rest[0]);
    done(null);
    return true;
  }
}

interface Pair {
  readonly channel: Channel;
  readonly successor: Successor;
  readonly predecessor: Predecessor;
  /** "starting", "ready", or the reason of the failure. */
  readonly outcome: () => Promise<string>;
  readonly ended: () => boolean;
}

function connect(host: Partial<SuccessorHost> = {}, gone = false): Pair {
  const channel = new Channel();
  if (gone) channel.disconnect();
  let ended = false;
  const successor = new Successor(channel.child, {
    version: "1.0.0",
    listen: ["127.0.0.1:80"],
    admin: undefined,
    intent: async () => intent,
    sockets: () => [],
    end() {
      ended = true;
    },
    ...host,
  });
  let outcome = "starting";
  successor.ready.then(
    () => {
      outcome = "ready";
    },
    (error: Error) => {
      outcome = error.message;
    },
  );
  const settled = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return outcome;
  };
  const predecessor = new Predecessor(channel.parent);
  return { channel, successor, predecessor, outcome: settled, ended: () => ended };
}

test("a takeover, from the first message to the last", async () => {
  const clients = createServer();
  const admin = createServer();
  const { channel, successor, predecessor, outcome, ended } = connect({
    sockets: () => [
      { use: "clients", address: "127.0.0.1:80", socket: clients },
      { use: "admin", address: "127.0.0.1:90", socket: admin },
    ],
  });
  expect(await predecessor.hello("2.0.0")).toMatchObject({ version: "1.0.0", listen: ["127.0.0.1:80"], intent });
  const sockets: unknown[][] = [];
  await predecessor.takeSockets((...socket) => void sockets.push(socket));
  expect(sockets).toEqual([
    ["clients", "127.0.0.1:80", clients],
    ["admin", "127.0.0.1:90", admin],
  ]);
  expect(await outcome()).toBe("starting");
  predecessor.ready();
  expect(await outcome()).toBe("ready");
  // Too late to fail.
  successor.fail("a stop");
  vi.advanceTimersByTime(3_600_000);
  expect(channel.killed).toEqual([]);

  const received: ProcessCounts[] = [];
  predecessor.onCounts((message) => void received.push(message));
  successor.draining({ ...counts, intent, reload: true });
  expect(await predecessor.draining).toMatchObject({ intent, reload: true });
  successor.count(counts);
  await successor.lastCount(counts);
  expect(received).toHaveLength(3);
  expect(received[2]).toMatchObject(counts);
  predecessor.endNow();
  expect(ended()).toBe(true);
  channel.disconnect();
  await predecessor.ended;
  for (const message of channel.sent) expect(message).toMatchObject({ protocol });
});

describe("a successor that cannot start changes nothing:", () => {
  test("it sends its reason and ends", async () => {
    const { channel, predecessor, outcome } = connect();
    await predecessor.hello("2");
    await predecessor.failed("config.toml:1:1: no");
    expect(await outcome()).toBe("starting");
    channel.end(2);
    expect(await outcome()).toBe("config.toml:1:1: no");
  });

  test.each([
    [3, null, "it ended with code 3"],
    [null, "SIGKILL", "it ended by SIGKILL"],
  ] as const)("it ends with code %s and signal %s", async (code, signal, reason) => {
    const { channel, predecessor, outcome } = connect();
    await predecessor.hello("2");
    await predecessor.takeSockets(() => {});
    channel.end(code, signal);
    expect(await outcome()).toBe(reason);
  });

  test("it hangs", async () => {
    const { channel, outcome } = connect();
    vi.advanceTimersByTime(59_999);
    expect(await outcome()).toBe("starting");
    vi.advanceTimersByTime(1);
    expect(await outcome()).toBe("it was not ready within 60 s");
    expect(channel.killed).toEqual(["SIGKILL"]);
    // Its end is no second failure.
    channel.end(null, "SIGKILL");
  });

  test("it cannot be executed, or a socket cannot be passed on", async () => {
    const first = connect();
    (first.channel.child as unknown as EventEmitter).emit("error", new Error("spawn ENOENT"));
    expect(await first.outcome()).toBe("it could not be started: spawn ENOENT");

    const { channel, predecessor, outcome } = connect({
      sockets: () => [{ use: "clients", address: ":80", socket: createServer() }],
    });
    const { send } = channel.child;
    channel.child.send = ((message: object, ...rest: unknown[]) => {
      const done = rest.at(-1) as (error: Error | null) => void;
      if (rest[0] instanceof Server) done(new Error("it is closed"));
      else (send as (...all: unknown[]) => void)(message, ...rest);
      return true;
    }) as typeof send;
    void predecessor.takeSockets(() => {});
    expect(await outcome()).toBe("the socket of :80 could not be passed on: it is closed");
    expect(channel.killed).toEqual(["SIGKILL"]);
  });

  test("the stop of the old process ends it", async () => {
    const { channel, successor, outcome } = connect();
    successor.fail("this process stops");
    expect(await outcome()).toBe("this process stops");
    expect(channel.killed).toEqual(["SIGKILL"]);
    channel.fromChild({ protocol, type: "ready" });
    expect(await outcome()).toBe("this process stops");
  });
});

describe("another version", () => {
  test("of the protocol is refused by both sides", async () => {
    const old = connect();
    old.channel.fromChild({ protocol: 99, type: "hello", version: "9" });
    expect(await old.outcome()).toMatch(/version 99 of the restart protocol, this one version 1/);
    expect(old.channel.killed).toEqual(["SIGKILL"]);

    const { channel, predecessor } = connect();
    const welcome = predecessor.welcome;
    channel.fromParent({ protocol: "x".repeat(1_000), type: "welcome" });
    await expect(welcome).rejects.toThrow(/version x{20} of the restart protocol/);
  });

  test("may send messages that are not known, and malformed ones have no effect", async () => {
    const { channel, predecessor, outcome } = connect();
    for (const message of [
      null,
      7,
      "ready",
      [],
      {},
      { type: "ready" },
      { protocol },
      { protocol, type: "constructor" },
      { protocol, type: "__proto__" },
      { protocol, type: "later" },
      { protocol, type: "failed", message: 5 },
      { protocol, type: "hello" },
    ]) {
      channel.fromChild(message);
      channel.fromParent(message);
    }
    for (const message of [
      { protocol, type: "welcome", version: "1", listen: "x", descriptors: [], intent: [] },
      { protocol, type: "welcome", version: "1", listen: [], descriptors: [], intent: [{ pool: "a" }] },
      {
        protocol,
        type: "welcome",
        version: "1",
        listen: [],
        descriptors: [],
        intent: [{ ...intent[0], state: "gone" }],
      },
      {
        protocol,
        type: "welcome",
        version: "1",
        listen: [],
        descriptors: [],
        intent: [{ ...intent[0], weight: { set: "5" } }],
      },
      { protocol, type: "welcome", version: "1", listen: [], descriptors: [{ use: "x" }], intent: [] },
      { protocol, type: "socket", use: "other", address: "x" },
      { protocol, type: "socket", use: "clients", address: "x" },
      { protocol, type: "draining", intent: [], reload: false, snapshot: null, listener: {} },
    ]) {
      channel.fromParent(message);
    }
    expect(await outcome()).toBe("starting");
    expect(await predecessor.hello("2")).toMatchObject({ version: "1.0.0" });
    expect(channel.killed).toEqual([]);
  });
});

test("a predecessor that ends early leaves its successor alone, with what it has", async () => {
  for (const at of ["before the start", "before the first message", "before the sockets", "before it drains"]) {
    const { channel, predecessor } = connect({}, at === "before the start");
    if (at === "before the start" || at === "before the first message") {
      if (at !== "before the start") channel.disconnect();
      expect(await predecessor.hello("2")).toBeUndefined();
    } else {
      await predecessor.hello("2");
    }
    if (at === "before it drains") await predecessor.takeSockets(() => {});
    channel.disconnect();
    await predecessor.takeSockets(() => {});
    predecessor.ready();
    predecessor.endNow();
    expect(await predecessor.draining).toBeUndefined();
    await predecessor.ended;
  }
});
