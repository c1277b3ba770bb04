import { readFileSync } from "node:fs";
import { createProxy } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../src/index.ts";

const page = readFileSync(new URL("../../../docs/routing.md", import.meta.url), "utf8");

test("the first file of the document routes as it says", () => {
  const [, text = ""] = /^```toml\n(.*?)^```$/ms.exec(page) ?? [];
  const proxy = createProxy(parseConfig(text, { file: "routing.toml" }).options);
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  /** The pool that serves a request and the path it gets there, or the status of a refusal. */
  const told = (url: string, host = "elsewhere", method = "GET") => {
    const { refusal, pool } = proxy.explain({ url, method, headers: { Host: host } });
    return refusal === null ? `${pool?.name} ${pool?.upstreams[0]?.path}` : refusal.status;
  };
  expect(told("/api/orders/7?x=1", "shop.example:8080", "POST")).toBe("orders /v2/7?x=1");
  expect(told("/api/orders/7", "a.b.SHOP.example.", "GET")).toBe("orders /v2/7");
  expect(told("/api/orders/7", "shop.example", "HEAD")).toBe("api /orders/7");
  expect(told("/api/users")).toBe("api /users");
  expect(told("/api")).toBe("api /");
  expect(told("/apix")).toBe("web /apix");
  expect(told("/%61pi")).toBe("web /%61pi");
  for (const way of ["/a/../b", "/a/%2e%2e/b", "/a/..%2fb", "/a/..\\b", "/a/..;/b"]) expect(told(way), way).toBe(400);
});
