import { expect, test } from "vitest";
import { maskSecrets } from "../../src/config/secrets.ts";

test("masks user info with and without a scheme", () => {
  expect(maskSecrets("http://me:pw@db/ me:pw@db a@b c:d")).toBe("http://*****@db/ *****@db a@b c:d");
});

test("takes linear time: errors of an app can repeat what a client has sent", () => {
  const began = process.cpuUsage();
  for (const text of [":", "@:", "//@", ":@", "?a=", "Aa1", "Bearer "]) maskSecrets(text.repeat(100_000 / text.length));
  const { user, system } = process.cpuUsage(began);
  // Quadratic time is 10 s for the first of them.
  expect((user + system) / 1_000).toBeLessThan(2_000);
});
