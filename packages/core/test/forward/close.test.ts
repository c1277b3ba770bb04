import { describe, expect, test } from "vitest";
import { createProxy } from "../../src/proxy.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

describe("closing", () => {
  /** A proxy that no request reaches. */
  const idleProxy = () => createProxy({ pools: { none: {} } }, { clock: new VirtualClock() });

  test("refuses what is no duration", async () => {
    const proxy = idleProxy();
    await expect(proxy.close({ timeout: "soon" })).rejects.toMatchObject({ code: "invalid_options" });
    expect(proxy.draining).toBe(false);
  });

  test("rules a reload out", async () => {
    const proxy = idleProxy();
    await proxy.close();
    expect(() => proxy.reload({ pools: { none: {} } })).toThrow(expect.objectContaining({ code: "closed" }));
  });

  test("is what disposing means", async () => {
    const proxy = idleProxy();
    await proxy[Symbol.asyncDispose]();
    expect(proxy.draining).toBe(true);
  });
});
