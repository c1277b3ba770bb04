import { onTestFinished } from "vitest";
import { resolveRuntime } from "../../src/runtime/runtime.ts";
import { Connector } from "../../src/transport/connector.ts";
import { createTransport } from "../../src/transport/create-transport.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { cert } from "./certificates.ts";
import { plainAddress, type TestTransportOptions, transportSettings } from "./exchanges.ts";

/** HTTP/2 with prior knowledge to a port, the timeouts and limits of a pool's options. Gone when the test is over. */
export function h2cTransport(
  port: number,
  { address, runtime, connector, ...options }: TestTransportOptions = {},
): Transport {
  const settings = transportSettings({ ...options, connections: { http2: "h2c", ...options.connections } });
  return made({ ...plainAddress(port), ...address }, settings, runtime, connector);
}

/** What the upstream at a port chooses by ALPN. */
export function alpnTransport(
  port: number,
  { address, runtime, connector, ...options }: TestTransportOptions = {},
): Transport {
  const settings = transportSettings({
    ...options,
    connections: { http2: true, ...options.connections },
    tls: { ca: cert, ...options.tls },
  });
  return made({ ...plainAddress(port), tls: true, hostname: "localhost", ...address }, settings, runtime, connector);
}

function made(
  address: ReturnType<typeof plainAddress>,
  settings: ReturnType<typeof transportSettings>,
  runtime: TestTransportOptions["runtime"],
  connector: Connector = new Connector(runtime),
): Transport {
  const transport = createTransport(address, settings, resolveRuntime(runtime), connector);
  onTestFinished(() => transport.destroy());
  return transport;
}
