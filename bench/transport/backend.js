// The backend of the relays: nginx if it is installed, else a Node server. Both respond to /small with a few bytes and to /large
// with 100 KB.

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const small = "hello from the upstream\n";
/** Further headers of a typical application. */
const headers = {
  "Cache-Control": "private, max-age=0, must-revalidate",
  Vary: "Accept-Encoding, Cookie",
  "Set-Cookie": "session=0123456789abcdef; Path=/; HttpOnly; SameSite=Lax",
  "X-Request-Id": "4b7d7a0e-2f0c-4d58-9a3b-1c8a8f1d2e3f",
  "Strict-Transport-Security": "max-age=31536000",
};
const large = "x".repeat(100_000);

/** Starts a backend. Resolves with its name, its port and a function that stops it. */
export function startBackend() {
  return has("nginx") ? startNginx() : startNode();
}

/** Whether a command is installed. */
export function has(command) {
  try {
    execFileSync(command, ["-v"], { stdio: "ignore" });
    return true;
  } catch (error) {
    // wrk prints its version and exits with an error.
    return error.code !== "ENOENT";
  }
}

async function startNginx() {
  const folder = mkdtempSync(path.join(tmpdir(), "bench-"));
  const port = await freePort();
  // nginx, if started as root, reads files as another user.
  chmodSync(folder, 0o755);
  writeFileSync(path.join(folder, "large"), large);
  const config = `
    worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
    events { worker_connections 8192; }
    http {
      access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      server {
        ${Object.entries(headers)
          .map(([name, value]) => `add_header ${name} "${value}";`)
          .join(" ")}
        listen 127.0.0.1:${port} backlog=4096;
        location = /small { default_type text/plain; return 200 "${small.trim()}\\n"; }
        location = /large { default_type text/plain; root ${folder}; }
      }
    }`;
  writeFileSync(path.join(folder, "nginx.conf"), config);
  const child = spawn("nginx", ["-c", path.join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" });
  await accepting(port);
  const stop = () => {
    child.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    child.kill("SIGTERM");
  };
  return { name: "nginx", port, stop };
}

async function startNode() {
  const server = createServer({ keepAliveTimeout: 600_000 }, (req, res) => {
    const body = req.url === "/large" ? large : small;
    res.writeHead(200, { "Content-Type": "text/plain", "Content-Length": body.length, ...headers });
    res.end(body);
  });
  const port = await new Promise((resolve) => {
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => resolve(server.address().port));
  });
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { name: "node:http in the process that drives the load", port, stop };
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Retries until the server accepts a connection. */
function accepting(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", () => setTimeout(() => resolve(accepting(port)), 50));
  });
}
