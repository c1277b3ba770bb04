import { writeFileSync } from "node:fs";
import path from "node:path";
import { folder } from "../machine/children.js";

/** Writes the same options as evenkeel-options.js. `h2c`: with HTTP/2 to clients. Returns the file. */
export function writeCliConfig({ port, adminPort, ports, log, h2c }) {
  const urls = ports.map((one) => `"http://127.0.0.1:${one}"`);
  const file = path.join(folder, `evenkeel-${port}.toml`);
  writeFileSync(
    file,
    `
[server]
listen = "127.0.0.1:${port}"
${h2c ? "h2c = true" : ""}
[admin]
listen = "127.0.0.1:${adminPort}"
[accessLog]
format = "${log ? "json" : "none"}"
path = "${path.join(folder, `access-${port}.log`)}"
[[routes]]
host = "other.example"
pool = "other"
[[routes]]
path = "/other"
pool = "other"
[[routes]]
path = "/"
pool = "app"
[pools.app]
upstreams = [${urls.join(", ")}]
balance = "p2c"
healthCheck = { path = "/small" }
outlierDetection = {}
[pools.other]
upstreams = [${urls[0]}]
`,
  );
  return file;
}
