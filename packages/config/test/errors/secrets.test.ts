import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ConfigError, parseConfig } from "../../src/index.ts";

const secret = "hunter2";
const pem = readFileSync(new URL("../cases/certs/client.key", import.meta.url), "utf8").trim();
const keyLines = pem.split("\n").slice(1, -1);
const env = { SECRET: secret, PASSWORD_URL: `http://bob:${secret}@10.0.0.1`, KEY: pem };

function errorOf(text: string, format: "toml" | "json" = "toml"): ConfigError {
  try {
    parseConfig(text, { file: "secrets.toml", env, format });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("the configuration has no mistake");
}

const upstreams = 'upstreams = ["http://a"]\n';

describe("an error of a configuration does not contain a secret", () => {
  test.each([
    ["under a misspelt key", `${upstreams}[admin]\ntokne = "${secret}"`],
    ["under a key that is not similar to it", `${upstreams}[admin]\nbearer = "${secret}"`],
    [
      "under a misspelt key beside another mistake",
      `${upstreams}admin = { lisen = ":1", tokn = "${secret}", metrics = 1 }`,
    ],
    ["of the wrong kind", `${upstreams}[[admin]]\ntoken = "${secret}"`],
    ["in an array", `${upstreams}[admin]\ntoken = ["${secret}"]`],
    ["without quotes", `${upstreams}[admin]\ntoken = ${secret}`],
    ["without an equals sign", `${upstreams}[admin]\ntoken "${secret}"`],
    ["with a quote too few", `${upstreams}[admin]\ntoken = "${secret}`],
    ["with spaces", `${upstreams}[admin]\ntoken = "a ${secret}"`],
    ["of a sticky table of the wrong kind", `${upstreams}sticky = [{ secret = "${secret}" }]`],
    ["in a header's value", `${upstreams}healthCheck = { headers = { Authorization = "${secret}\\n" } }`],
    ["in a header of a wrong name", `${upstreams}[healthCheck.headers]\n"bad name" = "${secret}"`],
    ["in headers that are an array", `${upstreams}healthCheck = { headers = ["Authorization: ${secret}"] }`],
    ["in headers that are a plain string", `${upstreams}healthCheck = { headers = "X-Key: ${secret}" }`],
    ["in headers that are a string", `${upstreams}healthCheck = { headers = "Authorization: Bearer ${secret}" }`],
    [
      "in a route's header",
      `pools.a = {upstreams=[]}\nroutes = [{ pool = "b", requestHeaders = { set = { X-Key = "${secret}" } } }]`,
    ],
    ["in the user info of a URL", `upstreams = ["http://bob:${secret}@a"]`],
    ["in the user info of a URL that does not parse", `upstreams = ["http//bob:${secret}@a"]`],
    ["in a URL in the wrong place", `${upstreams}[server]\nlisten = "http://bob:${secret}@a:1"`],
    ["in a host", `pools.a = {upstreams=[]}\n[[routes]]\npool = "a"\nhost = "https://bob:${secret}@a"`],
    ["in a URL's query", `upstreams = ["http://a?token=${secret}"]`],
    ["in the query of a URL that does not parse", `upstreams = ["a?token=${secret}"]`],
    ["in a path's query", `pools.a = {upstreams=[]}\n[[routes]]\npool = "a"\npath = "/x?api_key=${secret}"`],
    ["from the environment", `upstreams = ["\${PASSWORD_URL}"]`],
    ["from the environment, under a key of a number", `${upstreams}[server]\nmaxConnections = "\${PASSWORD_URL}"`],
    ["in a comment", `${upstreams}[admin]\nmetrics = 1 # token = "${secret}"`],
    ["in JSON", `{"upstreams": ["http://a"], "admin": {"tokne": "${secret}"}}`],
    ["in malformed JSON", `{"upstreams": ["http://a"], "admin": {"token": "${secret}",}}`],
  ])("%s", (_, text) => {
    const error = errorOf(text, text.startsWith("{") ? "json" : "toml");
    expect(error.message).not.toContain(secret);
    expect(JSON.stringify(error.mistakes)).not.toContain(secret);
    expect(error.mistakes.length).toBeGreaterThan(0);
  });

  test.each([
    ["inline PEM that is cut short", `key = """${pem.slice(0, -10)}"""`],
    ["inline PEM without its first line", `key = """\n${keyLines.join("\n")}"""`],
    ["a key as one line of base64", `key = "${keyLines.join("")}"`],
    ["inline PEM under a misspelt key", `kee = """${pem}"""`],
    ["inline PEM of a number", `verify = """${pem}"""`],
    ["PEM from the environment", `servername = ["\${KEY}"]`],
  ])("%s", (_, line) => {
    const error = errorOf(`${upstreams}[tls]\n${line}`);
    for (const part of keyLines) expect(error.message).not.toContain(part.slice(0, 20));
  });

  test("not even in a file that is not UTF-8", () => {
    const error = errorOf(`${upstreams}[admin]\ntokne = "${secret}\ufffd"`);
    expect(error.message).not.toContain(secret);
  });
});
