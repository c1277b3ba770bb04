import { expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { causeOf } from "../../src/transport/failure-cause.ts";
import { TransportError } from "../../src/transport/transport-error.ts";

const failure = (message: string, more: object = {}) => Object.assign(new Error(message), more);

test.each<[string, unknown, string | undefined]>([
  [
    "the message with the code",
    failure("certificate has expired", { code: "CERT_HAS_EXPIRED" }),
    "certificate has expired (CERT_HAS_EXPIRED)",
  ],
  [
    "a message that has the code already",
    failure("connect EHOSTUNREACH 10.0.0.1:80", { code: "EHOSTUNREACH" }),
    "connect EHOSTUNREACH 10.0.0.1:80",
  ],
  [
    "the reason in place of OpenSSL's log line",
    failure("C0E8:error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert:../deps/x.c:1590:\n", {
      code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
      reason: "tlsv1 alert protocol version",
    }),
    "tlsv1 alert protocol version (ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION)",
  ],
  [
    "the reason that is within such a line",
    failure("write EPROTO 80:error:0A000410:SSL routines:read_bytes:handshake failure:a.c:16:SSL alert number 40\n", {
      code: "EPROTO",
    }),
    "handshake failure (EPROTO)",
  ],
  ["a message without a code", failure("no certificate"), "no certificate"],
  [
    "what a connection's own error came from",
    new TransportError("tls_failed", "lost", {
      cause: failure("self-signed", { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }),
    }),
    "self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)",
  ],
  [
    "the first of several addresses",
    new AggregateError([failure("connect ENETUNREACH ::1", { code: "ENETUNREACH" }), failure("other")]),
    "connect ENETUNREACH ::1",
  ],
  ["nothing", undefined, undefined],
  ["a word that was thrown", "boom", undefined],
  ["an empty message", failure(""), undefined],
])("reports %s", (_, error, cause) => {
  expect(causeOf(error)).toBe(cause);
});

test("is one line of bounded length, whatever text a certificate has", () => {
  const cause = causeOf(failure(`Host: a.\r\n2026 fake line\u001b[31m\u2028${"x".repeat(10_000)}`));
  expect(cause).toHaveLength(limits.failureCauseLength);
  expect(cause).toMatch(/^Host: a\. 2026 fake line \[31m x+$/);
});

test("is found in a circular chain of causes", () => {
  const error = new TransportError("tls_failed", "a circle");
  Object.defineProperty(error, "cause", { value: error });
  expect(causeOf(error)).toBe("a circle");
});
