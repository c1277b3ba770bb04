import { Server, Socket } from "node:net";
import { beforeEach, vi } from "vitest";

/** A test of the project `pure` that opens a socket belongs into a folder of another project: see vitest.config.ts. */
function refuse(): never {
  throw new Error("a test in a folder without sockets opens one");
}

beforeEach(() => {
  vi.spyOn(Socket.prototype, "connect").mockImplementation(refuse);
  vi.spyOn(Server.prototype, "listen").mockImplementation(refuse);
});
