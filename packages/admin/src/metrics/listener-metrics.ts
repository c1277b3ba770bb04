import type { ListenerSnapshot } from "../options.ts";
import { counter, type Family, gauge, sample } from "./metric-family.ts";

/** The metrics of the command's listeners. An app with its own server has none of them. */
export function listenerFamilies(listener: ListenerSnapshot | undefined): readonly Family[] {
  if (listener === undefined) return [];
  const { connections, handshakeFailures, proxyHeaderFailures, certificateExpiry } = listener;
  return [
    gauge("evenkeel_listener_connections", "Open client connections.", [sample({}, connections.open)]),
    gauge("evenkeel_listener_connections_limit", "Client connections that may be open at the same time.", [
      sample({}, connections.limit),
    ]),
    counter(
      "evenkeel_listener_connections_refused_total",
      "Connections refused at the limit, because all open ones had a request in flight.",
      [sample({}, connections.refused)],
    ),
    counter("evenkeel_listener_idle_connections_closed_total", "Idle connections closed to make room for new ones.", [
      sample({}, connections.idleClosed),
    ]),
    counter("evenkeel_tls_handshake_failures_total", "Failed TLS handshakes with clients by reason.", [
      sample({ reason: "plain_http" }, handshakeFailures.plainHttp),
      sample({ reason: "other" }, handshakeFailures.other),
    ]),
    counter(
      "evenkeel_proxy_header_failures_total",
      "Connections of load balancers closed, because their PROXY header is missing or malformed.",
      [sample({}, proxyHeaderFailures)],
    ),
    ...(certificateExpiry === null
      ? []
      : [
          gauge(
            "evenkeel_listener_certificate_expiry_timestamp_seconds",
            "Expiry of the listener's certificate, or of one in its chain if that is earlier, in seconds since 1970.",
            [sample({}, certificateExpiry / 1_000)],
          ),
        ]),
  ];
}
