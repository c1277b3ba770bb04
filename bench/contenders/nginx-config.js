import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { folder } from "../machine/children.js";

/** Returns the file, and the path of the error log. */
export function writeNginxConfig({ port, ports, buffering, http2 }) {
  const home = path.join(folder, `nginx-${port}`);
  mkdirSync(home);
  const file = path.join(home, "nginx.conf");
  const log = path.join(home, "log");
  writeFileSync(
    file,
    `
    daemon off; master_process off; pid ${home}/pid; error_log ${log} crit; worker_rlimit_nofile 16384;
    events { worker_connections 8192; }
    http {
      access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; client_max_body_size 0;
      client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/fastcgi;
      uwsgi_temp_path ${home}/uwsgi; scgi_temp_path ${home}/scgi;
      map $http_upgrade $hop { default upgrade; "" ""; }
      upstream app {
        ${ports.map((one) => `server 127.0.0.1:${one} max_fails=5 fail_timeout=30s;`).join(" ")}
        keepalive 1024; keepalive_requests 1000000000;
      }
      server {
        listen 127.0.0.1:${port} backlog=4096${http2 ? " http2" : ""};
        location / {
          proxy_pass http://app; proxy_http_version 1.1; proxy_request_buffering off;
          proxy_buffering ${buffering ? "on" : "off"}; proxy_max_temp_file_size 0;
          proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;
        }
        location /other { proxy_pass http://app; }
      }
    }`,
  );
  return { file, log };
}
