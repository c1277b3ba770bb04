import { writeFileSync } from "node:fs";
import path from "node:path";
import { folder } from "../machine/children.js";

/** Returns the file. */
export function writeHaproxyConfig({ port, ports }) {
  const file = path.join(folder, `haproxy-${port}.cfg`);
  const servers = ports.map(
    (one, index) => `server s${index} 127.0.0.1:${one} check inter 5s observe layer7 error-limit 5 pool-max-conn 1024`,
  );
  writeFileSync(
    file,
    `
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 3s
  timeout client 75s
  timeout server 60s
  timeout tunnel 1h
  option http-keep-alive
  http-reuse always
  retries 3
  option redispatch 1
frontend front
  bind 127.0.0.1:${port} backlog 4096
  use_backend app if { path_beg /other }
  default_backend app
backend app
  balance leastconn
  option httpchk GET /small
  option forwardfor
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Proto http
  ${servers.join("\n  ")}
`,
  );
  return file;
}
