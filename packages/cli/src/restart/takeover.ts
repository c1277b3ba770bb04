import { closeSync } from "node:fs";
import { createServer, isIP } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { FileConfig } from "@evenkeel/config";
import { formatListenAddress, type ListenAddress, parseListenAddress, type Proxy as ReverseProxy } from "evenkeel";
import { type FindInherited, type InheritedSocket, listen, ReceivedSockets } from "evenkeel/server";
import { limits } from "../limits.ts";
import { orFailure } from "../serving/listen-failure.ts";
import { version } from "../version.ts";
import type { OperatorSettings } from "./operator-settings.ts";
import type { Predecessor, Welcome } from "./predecessor.ts";
import type { SocketUse } from "./protocol.ts";

/** Replaces another process: the steps that come before this process serves. */
export class Takeover {
  readonly #predecessor: Predecessor;
  readonly #config: FileConfig;
  readonly #clients = new ReceivedSockets();
  readonly #admin = new ReceivedSockets();
  /** By use and address. */
  readonly #descriptors = new Map<string, number>();
  #welcome: Welcome | undefined;

  constructor(predecessor: Predecessor, config: FileConfig) {
    this.#predecessor = predecessor;
    this.#config = config;
  }

  /** Throws a `Failure` if the process cannot be replaced, or if an address that it does not have cannot be used. */
  async begin(): Promise<void> {
    this.#welcome = await this.#predecessor.hello(version);
    for (const { use, address, fd } of this.#welcome?.descriptors ?? []) this.#descriptors.set(`${use} ${address}`, fd);
    const { listen: addresses } = this.#config.server;
    for (const address of addresses) {
      if ("port" in address && address.port !== 0 && !this.#listens(address)) await tryAddress(address, addresses);
    }
  }

  /** Whether the predecessor has the address of the admin API. */
  inheritsAdmin(address: ListenAddress): boolean {
    return this.#welcome?.admin === formatListenAddress(address);
  }

  /** Prepares the pools for the first request: operators' settings, members from DNS, the first results of probes. */
  async prepare(proxy: ReverseProxy, settings: OperatorSettings): Promise<void> {
    const end = performance.now() + limits.restartPreparationMs;
    while (!isPrepared(proxy, this.#config) && performance.now() < end) await wait(limits.restartPollMs);
    await settings.apply(this.#welcome?.intent ?? []);
  }

  /** Takes the listening sockets. From now on this process has to serve their connections. */
  async takeSockets(): Promise<FindInherited> {
    await this.#predecessor.takeSockets((use, text, socket) => {
      const address = parseListenAddress(text);
      if (typeof address === "string") socket.close();
      else (use === "clients" ? this.#clients : this.#admin).add(address, socket);
    });
    return (address) =>
      this.#clients.take(address) ??
      this.#descriptor("clients", address) ??
      this.#unixSocket(address, this.#listens(address));
  }

  adminSocket(address: ListenAddress): InheritedSocket | undefined {
    return (
      this.#admin.take(address) ??
      this.#descriptor("admin", address) ??
      this.#unixSocket(address, this.inheritsAdmin(address))
    );
  }

  /** Closes the sockets that the configuration has no address for. */
  close(): void {
    for (const fd of this.#descriptors.values()) closeSync(fd);
    this.#clients.close();
    this.#admin.close();
  }

  #descriptor(use: SocketUse, address: ListenAddress): InheritedSocket | undefined {
    const key = `${use} ${formatListenAddress(address)}`;
    const fd = this.#descriptors.get(key);
    this.#descriptors.delete(key);
    return fd === undefined ? undefined : { fd };
  }

  #listens(address: ListenAddress): boolean {
    return this.#welcome?.listen.includes(formatListenAddress(address)) === true;
  }

  /** A Unix socket is not passed on: this process opens another one, and gives it the path. */
  #unixSocket(address: ListenAddress, ofPredecessor: boolean): InheritedSocket | undefined {
    return "socketPath" in address && ofPredecessor ? "predecessor" : undefined;
  }
}

/** Throws a `Failure` for an address that cannot be listened on. */
async function tryAddress(address: ListenAddress & { readonly port: number }, all: readonly ListenAddress[]) {
  const server = createServer();
  const { host = "", port } = address as { host?: string; port: number };
  const ipv6Only =
    isIP(host) === 6 && all.some((other) => "port" in other && other.port === port && isIP(other.host ?? "") === 4);
  await orFailure(listen(server, { ...address, ipv6Only }));
  await new Promise((resolve) => server.close(resolve));
}

/** Whether the members of every pool are known, and the health of every upstream that is probed. */
function isPrepared(proxy: ReverseProxy, { options }: FileConfig): boolean {
  return proxy.snapshot().pools.every(({ name, discovery, upstreams }) => {
    if (discovery?.status === "awaited") return false;
    const own = "pools" in options ? options.pools?.[name] : options;
    const check = own?.healthCheck ?? ("defaults" in options ? options.defaults?.healthCheck : undefined);
    return check === undefined || upstreams.every(({ health, state }) => health !== "unknown" || state === "disabled");
  });
}
