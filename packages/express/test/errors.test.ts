import http from "node:http";
import { ProxyError } from "evenkeel";
import type { ErrorRequestHandler } from "express";
import { describe, expect, test } from "vitest";
import { ask, listen, nextRequest, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { refusingUrl } from "../../core/test/support/refusing-port.ts";
import { refusal } from "../../core/test/support/web-socket-refusal.ts";
import { create, serve, versions } from "./support/app.ts";

describe.each(versions)("%s: passErrors", (_name, express) => {
  test("passes failures to the app's error handler, with nothing written and the request unchanged", async () => {
    const app = express();
    const router = express.Router();
    const api = create({ upstreams: [await refusingUrl()], passErrors: true });
    const onError: ErrorRequestHandler = (error: ProxyError, req, res, _next) => {
      const { code, status, source } = error;
      res.status(503).json({ sent: res.headersSent, code, status, source, url: req.url, base: req.baseUrl });
    };
    router.use("/api", api);
    app.use("/v1", router, onError);
    const finished = nextRequest(api.proxy);
    const { status, headers, body } = await ask(await serve(app), { path: "/v1/api/users?x" });
    expect([status, JSON.parse(body.toString())]).toEqual([
      503,
      {
        sent: false,
        code: "connect_refused",
        status: 502,
        source: "upstream",
        url: "/api/users?x",
        base: "/v1",
      },
    ]);
    expect(headers).not.toHaveProperty("proxy-status");
    expect(await finished).toMatchObject({ url: "/v1/api/users?x", status: 503, error: "connect_refused" });
  });

  test("without an error handler of the app, Express responds with the error's status", async () => {
    const app = express().set("env", "test");
    app.use(create({ upstreams: [await refusingUrl()], passErrors: true }));
    expect((await ask(await serve(app))).status).toBe(502);
  });

  test("a body that cannot be restored is such a failure, with advice in its message", async () => {
    const app = express();
    app.use((req, _res, next) => void req.resume().on("end", () => next()));
    app.use(create({ upstreams: [(await startUpstream()).url], passErrors: true }));
    const onError: ErrorRequestHandler = (error, _req, res, _next) => {
      res.status(error.status).end(`${error instanceof ProxyError} ${error.message}`);
    };
    app.use(onError);
    const { status, body } = await ask(await serve(app), { method: "POST", body: "some" });
    expect([status, body.toString()]).toEqual([
      500,
      expect.stringMatching(/^true .*mount the proxy in front of it, or keep the bytes in req\.rawBody$/),
    ]);
  });

  test("does not apply to an upstream's 500, nor to a request that no route matches", async () => {
    const { url } = await startUpstream("a", (_req, res) => res.writeHead(500).end("theirs"));
    const app = express();
    const options = { pools: { api: { upstreams: [url] } }, routes: [{ path: "/api", pool: "api" }] };
    app.use(create({ ...options, passErrors: true }), (_req, res) => void res.end("mine"));
    const port = await serve(app);
    expect((await ask(port, { path: "/api" })).body.toString()).toBe("theirs");
    expect((await ask(port, { path: "/" })).body.toString()).toBe("mine");
  });

  test("upgrades always get an error response, since they have no next", async () => {
    const api = create({ upstreams: [await refusingUrl()], passErrors: true });
    const server = http.createServer(express()).on("upgrade", api.upgrade);
    const { statusCode, headers } = await refusal(await listen(server), "/");
    expect([statusCode, headers["proxy-status"]]).toEqual([502, expect.stringContaining("connect_refused")]);
  });
});
