import http from "node:http";
import { describe, expect, test } from "vitest";
import { ask, askSeen, listen, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { refusingUrl } from "../../core/test/support/refusing-port.ts";
import { create, serve, versions } from "./support/app.ts";

describe.each(versions)("%s: what middleware decides in req.headers", (_name, express) => {
  test("reaches the upstream, set, replaced and deleted", async () => {
    const app = express();
    app.use((req, _res, next) => {
      req.headers["x-user-id"] = "42";
      req.headers.authorization = "Bearer internal";
      delete req.headers["x-role"];
      next();
    });
    app.use("/api", create({ upstreams: [(await startUpstream()).url] }));
    const headers = { "X-User-Id": "root", Authorization: "Bearer mine", "X-Role": "admin", "X-Kept": "1" };
    const seen = await askSeen(await serve(app), { path: "/api/x", headers });
    expect(seen.headers).toMatchObject({ "x-user-id": "42", authorization: "Bearer internal", "x-kept": "1" });
    expect(seen.headers).not.toHaveProperty("x-role");
  });

  test("reaches the upstream together with a parsed body", async () => {
    const app = express();
    app.use(express.json(), (req, _res, next) => {
      req.body = { ...req.body, user: 42 };
      req.headers["content-type"] = "application/vnd.app+json";
      delete req.headers["content-length"];
      next();
    });
    app.use("/api", create({ upstreams: [(await startUpstream()).url] }));
    const headers = { "Content-Type": "application/json" };
    const asking = { path: "/api/x", method: "POST", headers, body: '{"a":1}' };
    const seen = await askSeen(await serve(app), asking);
    expect(seen).toMatchObject({
      bytes: 17,
      headers: { "content-length": "17", "content-type": "application/vnd.app+json" },
    });
  });

  test("reaches the upstream with a rewritten method and URL", async () => {
    const app = express();
    const api = create({ upstreams: [(await startUpstream()).url] });
    app.use("/api", (req, _res, next) => {
      req.method = "PUT";
      req.url = "/v2/users?x=1";
      next();
    });
    app.use("/api", api);
    const port = await listen(http.createServer(app));
    const seen = await askSeen(port, { path: "/api/users" });
    expect(seen).toMatchObject({ method: "PUT", url: "/v2/users?x=1" });
  });
});

describe.each(versions)("%s: a hook of the proxy gets the app's request", (_name, express) => {
  test("with the properties that middleware has set", async () => {
    const api = create({
      upstreams: [(await startUpstream()).url],
      hooks: {
        onRequest({ req, headers }) {
          const { user } = req as typeof req & { user?: string };
          if (user !== undefined) headers.set("X-User", user);
          headers.set("X-Original", req.originalUrl ?? "none");
        },
        onResponse: ({ req, headers }) => headers.set("X-Method", req.method ?? ""),
        onError: ({ req, respond }) => respond({ status: 503, body: req.originalUrl ?? "none" }),
      },
    });
    const app = express();
    app.use((req, _res, next) => {
      Object.assign(req, { user: "ann" });
      next();
    });
    app.use("/api", api);
    const port = await serve(app);
    const response = await ask(port, { path: "/api/x?y", headers: { "X-User": "root" } });
    expect(response.headers["x-method"]).toBe("GET");
    expect(JSON.parse(response.body.toString())).toMatchObject({
      headers: { "x-user": "ann", "x-original": "/api/x?y" },
    });
    api.proxy.reload({ upstreams: [await refusingUrl()] });
    expect((await ask(port, { path: "/api/x" })).body.toString()).toBe("/api/x");
  });
});
