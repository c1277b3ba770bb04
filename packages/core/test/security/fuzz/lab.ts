/** A proxy between two upstreams, at work for many inputs, one after another. */

import type { Duplex } from "node:stream";
import { findConnection } from "../../../src/client/node/node-connection.ts";
import type { RequestEvent } from "../../../src/events.ts";
import { createProxy, type Proxy } from "../../../src/proxy.ts";
import { until } from "../../support/event-loop.ts";
import { StrictClient } from "../../support/raw-client.ts";
import { leftovers } from "../../support/start-proxy.ts";
import { converse } from "./conversation.ts";
import type { Input } from "./input.ts";
import { judge, type Result } from "./oracles.ts";
import { tagOf } from "./tag.ts";
import { Upstreams } from "./upstreams.ts";

/** A server that listens, with the proxy in it. */
export interface Server {
  readonly port: number;
  /** Connections that are open, where the server counts them. */
  readonly connections?: number;
  /** Ends everything. Resolves when no socket is left. */
  close(): Promise<void>;
}

/** Puts a proxy into a server, which calls back with the socket of each request right before it hands it on. */
export type Serve = (proxy: Proxy, onHandOn: (socket: object) => void) => Promise<Server>;

const settleMs = 30_000;
const victims = 20;

export class Lab {
  readonly #upstreams = new Upstreams();
  #proxy!: Proxy;
  #server!: Server;
  /** Requests handed on, since the input began and altogether. */
  #handed = 0;
  #events: RequestEvent[] = [];
  #total = 0;
  #inputs = 0;
  /** A connection that stays, for the requests that have to be answered whatever went before. */
  #bystander: StrictClient | undefined;

  static async open(serve: Serve): Promise<Lab> {
    const lab = new Lab();
    const upstreams = await lab.#upstreams.listen();
    // A route that is bound to a path, so that dot segments matter. Scripted chance makes the pauses short.
    lab.#proxy = createProxy(
      {
        pools: { main: { upstreams, balance: "round-robin", retry: { budget: 1, minRetriesPerSecond: 1_000 } } },
        routes: [
          { path: "/api", pool: "main" },
          { path: "/", pool: "main" },
        ],
      },
      { random: () => 0 },
    );
    lab.#proxy.on("request", (event) => {
      lab.#total++;
      // Without a method: bytes that no request was made of, and that the server has not handed on.
      if (event.method !== "") lab.#events.push(event);
    });
    lab.#server = await serve(lab.#proxy, (socket) => {
      if (findConnection(socket as Duplex)?.ending !== true) lab.#handed++;
    });
    return lab;
  }

  /** Plays one input through and says what is wrong with what came of it. */
  async play({ client, plays }: Input): Promise<{ readonly complaints: string[]; readonly result: Result }> {
    this.#upstreams.begin(plays);
    this.#handed = 0;
    this.#events = [];
    const tag = tagOf(this.#inputs++);
    const conversation = await converse(this.#server.port, client, tag);
    const left = await this.#settled();
    const { seen, said, violations } = this.#upstreams;
    const result = { tag, conversation, seen, said, violations, events: this.#events, handed: this.#handed };
    const complaints = [...left, ...judge(result)];
    return { complaints: [...complaints, ...(await this.#askAgain(tag, 2))], result };
  }

  /** Closes everything and says what is wrong with what is left. */
  async close(): Promise<string[]> {
    const complaints = await this.#askAgain("victim", victims);
    this.#bystander?.socket.destroy();
    const left = await this.#settled();
    const counted = this.#proxy.snapshot().requests.reduce((sum, { count }) => sum + count, 0);
    if (counted !== this.#total) complaints.push(`${counted} requests in the metrics, ${this.#total} request events`);
    await this.#server.close();
    await this.#proxy.close({ timeout: "0ms" });
    await until(() => this.#upstreams.connections === 0, settleMs);
    if (this.#upstreams.connections > 0)
      complaints.push(`${this.#upstreams.connections} connections to upstreams stay open`);
    await this.#upstreams.close();
    return [...complaints, ...left];
  }

  /** Waits until nothing is under way any more; says what still is if that never comes. */
  async #settled(): Promise<string[]> {
    const left = () => [
      ...leftovers(this.#proxy),
      ...this.#upstreams.leftovers(),
      ...((this.#server.connections ?? 0) > (this.#bystander === undefined ? 0 : 1) ? ["a client connection"] : []),
      ...(this.#events.length < this.#handed
        ? [`${this.#handed - this.#events.length} requests without an event`]
        : []),
    ];
    await until(() => left().length === 0, settleMs);
    return left();
  }

  /** Somebody else's requests get their own answers: nothing was left behind in a shared connection. */
  async #askAgain(tag: string, times: number): Promise<string[]> {
    const complaints: string[] = [];
    for (let index = 0; index < times; index++) {
      if (this.#bystander?.how !== undefined) {
        this.#bystander.socket.destroy();
        this.#bystander = undefined;
      }
      this.#bystander ??= await StrictClient.to(this.#server.port);
      const client = this.#bystander;
      const before = client.read([]).responses.length;
      const target = `/victim/${tag}${index}`;
      client.socket.write(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
      await client.when(() => client.read([]).responses[before]?.complete ?? false, settleMs);
      const { responses, violation } = client.read([]);
      const got = responses[before];
      const answer = got && `${got.status} ${got.body.toString("latin1")}`;
      if (answer !== `200 ${target}` || violation !== undefined)
        complaints.push(`a bystander gets ${answer ?? client.text.slice(-300)}`);
    }
    return complaints;
  }
}
