import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { end, folder, startCommand } from "../machine/children.js";
import { accepting, freePorts } from "../machine/ports.js";
import { bodies, headers } from "./answers.js";

/** One process of nginx on several ports. */
export async function startNginxBackend(count) {
  const ports = await freePorts(count);
  const home = path.join(folder, `backend-${ports[0]}`);
  mkdirSync(home, { mode: 0o755 });
  writeFileSync(path.join(home, "100k"), bodies["/100k"]);
  writeFileSync(path.join(home, "nginx.conf"), configure(home, ports));
  const child = startCommand("others", ["nginx", "-e", path.join(home, "log"), "-c", path.join(home, "nginx.conf")]);
  await Promise.all(ports.map(accepting));
  return { ports, stop: () => end(child) };
}

function configure(home, ports) {
  return `
    daemon off; master_process off; pid ${home}/pid; error_log ${home}/log crit; worker_rlimit_nofile 16384;
    events { worker_connections 8192; }
    http {
      access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on; tcp_nopush on;
      open_file_cache max=16 inactive=1h; default_type text/plain;
      client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/fastcgi;
      uwsgi_temp_path ${home}/uwsgi; scgi_temp_path ${home}/scgi;
      ${Object.entries(headers)
        .map(([name, value]) => `add_header ${name} "${value}";`)
        .join(" ")}
      server {
        ${ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join(" ")}
        location = /small { return 200 "${bodies["/small"]}"; }
        location = /1k { return 200 "${bodies["/1k"]}"; }
        location = /100k { root ${home}; }
      }
    }`;
}
