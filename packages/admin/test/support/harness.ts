import http, { type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { DiscoverySnapshot, PoolSnapshot, ProxySnapshot, Proxy as ReverseProxy, UpstreamSnapshot } from "evenkeel";
import { createProxy, type ProxyOptions } from "evenkeel";
import { onTestFinished } from "vitest";
import { poolOf, snapshotOf, upstreamOf } from "../../../core/test/support/snapshots.ts";
import { type Admin, type AdminOptions, createAdmin } from "../../src/index.ts";

interface ReceivedResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parses the body as JSON. Throws for anything else. */
  readonly json: () => Body;
}

/** The bodies of all responses of the API in one type. A test reads the fields that it expects. */
interface Body extends UpstreamSnapshot {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly issues: readonly { readonly path: string; readonly message: string }[];
  };
  readonly ready: boolean;
  readonly reasons: readonly { readonly code: string; readonly pool?: string }[];
}

interface RequestOptions {
  readonly headers?: http.OutgoingHttpHeaders;
  /** A string is sent unchanged, anything else as JSON with its content-type. */
  readonly body?: unknown;
}

export type SendRequest = (method: string, path: string, options?: RequestOptions) => Promise<ReceivedResponse>;

/** Serves a listener on a free port of 127.0.0.1 until the test ends. */
export async function serve(
  listener: RequestListener,
): Promise<{ server: http.Server; port: number; send: SendRequest }> {
  const server = http.createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, send: (method, path, options) => send(port, method, path, options) };
}

export interface Served {
  readonly server: http.Server;
  readonly proxy: ReverseProxy;
  readonly admin: Admin;
  readonly port: number;
  readonly send: SendRequest;
}

/** The real proxy, with the admin API on a server of its own. */
export async function serveAdmin(proxyOptions: ProxyOptions, options: AdminOptions = {}): Promise<Served> {
  const proxy = createProxy(proxyOptions);
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const admin = createAdmin(proxy, options);
  return { proxy, admin, ...(await serve(admin.handler)) };
}

/** A proxy that returns the given snapshot. */
export function proxyWith(snapshot: () => ProxySnapshot, pools: readonly string[] = []): ReverseProxy {
  const byName = new Map(pools.map((name) => [name, {}]));
  return { pools: byName, draining: false, snapshot, on: () => {}, off: () => {} } as unknown as ReverseProxy;
}

export function proxySnapshot(changes: Partial<ProxySnapshot> = {}): ProxySnapshot {
  return snapshotOf({ pools: [], ...changes });
}

export function poolSnapshot(changes: Partial<PoolSnapshot> = {}): PoolSnapshot {
  return poolOf({ upstreams: [], ...changes });
}

export function discoverySnapshot(changes: Partial<DiscoverySnapshot> = {}): DiscoverySnapshot {
  return {
    name: "api.internal",
    status: "ok",
    since: 0,
    lookups: { success: 1, failure: 0 },
    lastSuccess: 0,
    lastError: null,
    nextLookup: 30_000,
    passedOver: 0,
    ...changes,
  };
}

export function upstreamSnapshot(changes: Partial<UpstreamSnapshot> = {}): UpstreamSnapshot {
  return upstreamOf({ latency: { bounds: [0.01, 0.1, 1], counts: [0, 0, 0], count: 0, sum: 0 }, ...changes });
}

function send(
  port: number,
  method: string,
  path: string,
  { headers = {}, body }: RequestOptions = {},
): Promise<ReceivedResponse> {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const type = body === undefined || typeof body === "string" ? {} : { "content-type": "application/json" };
  // node:http sets no content-length for the body of a DELETE by itself.
  const framed = text === undefined || "transfer-encoding" in headers;
  const framing = framed ? {} : { "content-length": Buffer.byteLength(text) };
  const options = { port, method, path, agent: false, headers: { ...type, ...framing, ...headers } };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const received = Buffer.concat(chunks).toString();
        const { statusCode = 0, headers: found } = response;
        resolve({ status: statusCode, headers: found, text: received, json: () => JSON.parse(received) });
      });
    });
    request.on("error", reject);
    request.end(text);
  });
}
