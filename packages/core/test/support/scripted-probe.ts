import type { Probe, ProbeResult } from "../../src/health/probe.ts";
import { probeHeaders } from "../../src/health/probe-headers.ts";
import type { Exchange, ExchangeHandler } from "../../src/transport/transport.ts";
import { upstreamAt } from "./scripted-upstream.ts";

/** Probes scripted upstreams. A probe over HTTP reaches its upstream like any request; its verdict follows from the status alone. */
export const scriptedProbe: Probe = (address, check, _tls, { signal, deadline }) =>
  new Promise((resolve) => {
    const upstream = upstreamAt(`http://${address.hostname}:${address.port}`);
    if (check.type === "tcp") {
      return resolve(upstream.refuses ? failed(upstream.refusal) : { ok: true, reason: "connected" });
    }
    const finish = (result: ProbeResult) => {
      signal.removeEventListener("abort", onAbort);
      exchange.abort();
      resolve(result);
    };
    const onAbort = () => {
      if (deadline !== undefined) deadline.result = failed("timeout");
      finish(failed("timeout"));
    };
    const handler: ExchangeHandler = {
      ...ignored,
      onResponse: (status) => {
        const ok = check.expectStatus.some(({ from, to }) => status >= from && status <= to);
        finish({ ok, reason: `status ${status}` });
      },
      onFailure: ({ code }) => finish(failed(code)),
    };
    const head = {
      method: check.method,
      path: check.path,
      headers: probeHeaders(address, check).flat(),
      bodyLength: 0,
    };
    const exchange: Exchange = upstream.dispatch({ ...head, headersTimeoutMs: 0, freshConnection: true }, handler);
    signal.addEventListener("abort", onAbort);
  });

const ignored = {
  onConnected: () => {},
  onInformation: () => {},
  onData: () => true,
  onFlush: () => {},
  onComplete: () => {},
  onDrain: () => {},
};

function failed(reason: string): ProbeResult {
  return { ok: false, reason };
}
