import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import type { ProxyEvents, RequestEvent } from "../../src/events.ts";
import { createProxy, type Proxy } from "../../src/proxy.ts";
import type { ProxySurroundings } from "../../src/proxy-surroundings.ts";
import { Conditions } from "./conditions.ts";

export interface TestProxy {
  readonly proxy: Proxy;
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  /** Every request that has ended, in that order. */
  readonly requests: RequestEvent[];
  /** Resolves with the first so many finished requests, as soon as there are that many. */
  finished(count: number): Promise<readonly RequestEvent[]>;
}

export interface TestProxyOptions {
  readonly runtime?: ProxySurroundings;
  /** In front of the proxy, which is called as `forward`. */
  readonly listener?: (forward: RequestListener) => RequestListener;
}

/**
 * A proxy in a server of its own. When the test is over it is closed, and has to be clean: nothing on its way, nothing
 * in flight, nobody waiting, and not one warning or stray error in the process meanwhile.
 */
export async function startProxy(
  options: ProxyOptions,
  { runtime, listener }: TestProxyOptions = {},
): Promise<TestProxy> {
  const strays = watchStrays();
  const proxy = createProxy(options, runtime);
  const server = createServer(listener?.(proxy.handler) ?? proxy.handler).on("upgrade", proxy.upgrade);
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const { port } = server.address() as AddressInfo;

  const requests: RequestEvent[] = [];
  const conditions = new Conditions();
  proxy.on("request", (event) => {
    requests.push(event);
    conditions.check();
  });
  const finished = (count: number) => conditions.until(() => requests.length >= count).then(() => requests);

  onTestFinished(async () => {
    server.close();
    await proxy.close({ timeout: "0ms" });
    server.closeAllConnections();
    expect(leftovers(proxy)).toEqual([]);
    expect(strays()).toEqual([]);
  });
  return { proxy, server, port, url: `http://127.0.0.1:${port}`, requests, finished };
}

/** The next event of a proxy. */
export function nextEvent<K extends keyof ProxyEvents>(
  proxy: Proxy,
  name: K,
  accept: (...args: ProxyEvents[K]) => boolean = () => true,
): Promise<ProxyEvents[K][0]> {
  return new Promise((resolve) => {
    const listener = (...args: ProxyEvents[K]) => {
      if (!accept(...args)) return;
      proxy.off(name, listener);
      resolve(args[0]);
    };
    proxy.on(name, listener);
  });
}

/** The pool of a proxy that has one. */
export function onlyPool(proxy: Proxy) {
  const [pool] = proxy.pools.values();
  if (pool === undefined) throw new Error("no pool");
  return pool;
}

/** Whatever a proxy still holds, in words. */
export function leftovers(proxy: Proxy): string[] {
  return proxy
    .snapshot()
    .pools.flatMap(({ name, inFlight, tunnels, queueDepth, outage }) => [
      ...(inFlight > 0 ? [`${name}: ${inFlight} in flight`] : []),
      ...(tunnels > 0 ? [`${name}: ${tunnels} tunnels`] : []),
      ...(queueDepth > 0 ? [`${name}: ${queueDepth} waiting`] : []),
      ...((outage?.waiting ?? 0) > 0 ? [`${name}: ${outage?.waiting} waiting for the end of an outage`] : []),
    ]);
}

/** Collects warnings, uncaught exceptions and unhandled rejections, but for the warnings that are about listeners that threw. */
function watchStrays(): () => string[] {
  const strays: string[] = [];
  const onWarning = (warning: Error) => {
    if (warning.name !== "EvenkeelWarning") strays.push(`${warning.name}: ${warning.message}`);
  };
  const onError = (error: unknown) => strays.push(String(error));
  process.on("warning", onWarning);
  process.on("uncaughtExceptionMonitor", onError);
  return () => {
    process.off("warning", onWarning);
    process.off("uncaughtExceptionMonitor", onError);
    return strays;
  };
}
