import { expect, test } from "vitest";
import type { ServerConnection } from "../../src/client/server/server-connection.ts";
import { ConnectionTable } from "../../src/server/connection-table.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** A connection that notes its end. */
class Fake implements ServerConnection {
  destroyed = false;
  readonly requested: boolean;
  readonly idle: boolean;
  readonly idleSince: number;

  constructor(idleSince: number, requested = true, idle = true) {
    this.idleSince = idleSince;
    this.requested = requested;
    this.idle = idle;
  }

  closeAfterResponses(): void {}
  closeIfUnused(): void {}
  destroy(): void {
    this.destroyed = true;
  }
}

function setUp(served: number) {
  const clock = new VirtualClock();
  const counts = { refused: 0, idle: 0 };
  const table = new ConnectionTable({ served, refused: 2 }, clock, {
    refused: () => counts.refused++,
    closedIdle: (count) => {
      counts.idle += count;
    },
  });
  return { clock, counts, table };
}

test("idle connections make room: those without a request first, then the ones idle longest", () => {
  const { clock, table, counts } = setUp(3);
  const [used, older, unused] = [new Fake(clock.now() + 1), new Fake(clock.now()), new Fake(clock.now() + 2, false)];
  for (const connection of [used, older, unused]) {
    expect(table.hasRoom()).toBe(true);
    table.add(connection);
  }
  clock.advance(300);
  const order: boolean[][] = [];
  for (let round = 0; round < 3; round++) {
    expect(table.hasRoom()).toBe(true);
    table.add(new Fake(clock.now(), true, false));
    order.push([unused, older, used].map(({ destroyed }) => destroyed));
  }
  expect(order).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
  expect(table.hasRoom()).toBe(false);
  expect(counts).toEqual({ refused: 1, idle: 3 });
});

test("a connection that has just become idle stays, and the search is not repeated at once", () => {
  const { clock, table, counts } = setUp(1);
  const connection = new Fake(clock.now());
  table.add(connection);
  expect(table.hasRoom()).toBe(false);
  clock.advance(99);
  expect(table.hasRoom()).toBe(false);
  clock.advance(201);
  expect(table.hasRoom()).toBe(true);
  expect(connection.destroyed).toBe(true);
  expect(counts).toEqual({ refused: 2, idle: 1 });
});

test("sockets beyond the served and the refused ones are not accepted, until one is released", () => {
  const { table } = setUp(1);
  expect([table.acceptSocket(), table.acceptSocket(), table.acceptSocket(), table.acceptSocket()]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  table.releaseSocket();
  table.releaseSocket();
  expect(table.acceptSocket()).toBe(true);
});

test("a removed connection makes room, and a lower limit applies to the next one", () => {
  const { clock, table } = setUp(2);
  const first = new Fake(clock.now(), true, false);
  table.add(first);
  table.add(new Fake(clock.now(), true, false));
  expect(table.hasRoom()).toBe(false);
  table.remove(first);
  expect(table.hasRoom()).toBe(true);
  table.budget = { served: 1, refused: 1 };
  expect(table.hasRoom()).toBe(false);
  expect(table.size).toBe(1);
});
