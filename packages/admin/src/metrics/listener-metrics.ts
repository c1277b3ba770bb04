import type { ListenerSnapshot } from "../options.ts";
import { counter, type Family, gauge, sample } from "./metric-family.ts";

/** Metrics of the command's own listeners; none where an app has its own server. */
export function listenerFamilies(listener: ListenerSnapshot | undefined): readonly Family[] {
  if (listener === undefined) return [];
  const { connections, handshakeFailures, certificateExpiry } = listener;
  return [
    gauge("evenkeel_listener_connections", "Connections of clients.", [sample({}, connections.open)]),
    gauge("evenkeel_listener_connections_limit", "Connections of clients that may be open at a time.", [
      sample({}, connections.limit),
    ]),
    counter(
      "evenkeel_listener_connections_refused_total",
      "Connections over the limit, while all others had a request in flight.",
      [sample({}, connections.refused)],
    ),
    counter(
      "evenkeel_listener_idle_connections_closed_total",
      "Idle connections that were closed to make room for others.",
      [sample({}, connections.idleClosed)],
    ),
    counter("evenkeel_tls_handshake_failures_total", "TLS handshakes with clients that failed, by reason.", [
      sample({ reason: "plain_http" }, handshakeFailures.plainHttp),
      sample({ reason: "other" }, handshakeFailures.other),
    ]),
    ...(certificateExpiry === null
      ? []
      : [
          gauge(
            "evenkeel_listener_certificate_expiry_timestamp_seconds",
            "When the listener's certificate, or one of its chain, expires, in seconds since 1970.",
            [sample({}, certificateExpiry / 1_000)],
          ),
        ]),
  ];
}
