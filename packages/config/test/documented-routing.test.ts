import { readFileSync } from "node:fs";
import { createProxy } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../src/index.ts";

const page = readFileSync(new URL("../../../docs/routing.md", import.meta.url), "utf8");

test("the first configuration in docs/routing.md routes as the page says", () => {
  const [, text = ""] = /^```toml\n(.*?)^```$/ms.exec(page) ?? [];
  const proxy = createProxy(parseConfig(text, { file: "routing.toml" }).options);
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  /** The pool that serves a request and the path that the upstream gets, or the status of the refusal. */
  const explained = (url: string, host = "elsewhere", method = "GET") => {
    const { refusal, pool } = proxy.explain({ url, method, headers: { Host: host } });
    return refusal === null ? `${pool?.name} ${pool?.upstreams[0]?.path}` : refusal.status;
  };
  expect(explained("/api/orders/7?x=1", "shop.example:8080", "POST")).toBe("orders /v2/7?x=1");
  expect(explained("/api/orders/7", "a.b.SHOP.example.", "GET")).toBe("orders /v2/7");
  expect(explained("/api/orders/7", "shop.example", "HEAD")).toBe("api /orders/7");
  expect(explained("/api/users")).toBe("api /users");
  expect(explained("/api")).toBe("api /");
  expect(explained("/apix")).toBe("web /apix");
  expect(explained("/%61pi")).toBe("web /%61pi");
  for (const way of ["/a/../b", "/a/%2e%2e/b", "/a/..%2fb", "/a/..\\b", "/a/..;/b"])
    expect(explained(way), way).toBe(400);
});
