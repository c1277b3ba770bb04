import { expect, test } from "vitest";
import { GroupListeners, type ListenerSnapshot } from "../../src/index.ts";

function listenerOf(open: number, count: number): ListenerSnapshot {
  return {
    connections: { open, limit: 5, refused: count, idleClosed: count },
    handshakeFailures: { plainHttp: count, other: count },
    proxyHeaderFailures: count,
    certificateExpiry: null,
  };
}

test("connections and failures are sums, and those of ended processes stay", () => {
  const group = new GroupListeners();
  const base: ListenerSnapshot = {
    ...listenerOf(1, 1),
    connections: { open: 1, limit: 100, refused: 1, idleClosed: 1 },
    certificateExpiry: 7,
  };
  const of = (open: number, count: number) => ({
    ...listenerOf(open, count),
    connections: { open, limit: 100, refused: count, idleClosed: count },
    certificateExpiry: 7,
  });
  group.report("1", listenerOf(3, 9));
  group.report("1", listenerOf(4, 10));
  group.report("2", listenerOf(5, 100));
  expect(group.merge(base)).toEqual(of(10, 111));
  group.end("1");
  group.end("1");
  expect(group.merge(base)).toEqual(of(6, 111));
  group.end("2");
  group.report("3", listenerOf(2, 1_000));
  expect(group.merge(base)).toEqual(of(3, 1_111));
});
