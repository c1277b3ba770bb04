import type { UpstreamAddress } from "./resolved.ts";

/**
 * Takes an upstream's URL apart, or says in a sentence what is wrong with it.
 *
 * Allowed are `http:`, `https:` and `http+unix:` with the absolute path of a socket. User info, query and
 * fragment are refused: an upstream's address comes from configuration alone and carries no secrets into logs.
 */
export function parseUpstreamUrl(text: string): UpstreamAddress | string {
  if (text.startsWith("http+unix:")) return parseUnixUrl(text);
  if (!URL.canParse(text)) {
    return `expected a URL such as "http://127.0.0.1:3000", found ${JSON.stringify(withoutUser(text))}`;
  }
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return `expected http:, https: or http+unix:, found ${JSON.stringify(url.protocol)}`;
  }
  if (url.username !== "" || url.password !== "") return "an upstream's URL may not carry a user or a password";
  if (url.search !== "" || url.hash !== "") return "an upstream's URL may not carry a query or a fragment";
  if (url.port === "0") return "an upstream's port is from 1 to 65535, found 0";
  // What the URL parser would quietly take for something else than it looks like.
  if (!/^\w+:\/\/[^\s\\/][^\s\\]*$/.test(text))
    return "an upstream's URL has two slashes, no backslashes and no white space";
  if (/\/(?:\.|%2e){1,2}(?:\/|$)/i.test(text.replace(/^\w+:\/\//, ""))) {
    return `an upstream's path may not have "." or ".." as a segment`;
  }
  const tls = url.protocol === "https:";
  return {
    tls,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (tls ? 443 : 80) : Number(url.port),
    socketPath: undefined,
    host: url.host,
    basePath: url.pathname.replace(/\/+$/, ""),
  };
}

/** The id of an upstream that was given none: host:port, or the path of its socket. */
export function defaultUpstreamId(address: UpstreamAddress): string {
  if (address.socketPath !== undefined) return address.socketPath.replace(/^\//, "").replaceAll("/", ":");
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return `${host}:${address.port}${address.basePath.replaceAll("/", ":")}`;
}

function parseUnixUrl(text: string): UpstreamAddress | string {
  const socketPath = text.replace(/^http\+unix:\/\//, "");
  if (!/^\/[^\0?#]+$/.test(socketPath)) {
    return `expected "http+unix://" and the absolute path of a socket, found ${JSON.stringify(text)}`;
  }
  return { tls: false, hostname: "", port: 0, socketPath, host: "localhost", basePath: "" };
}

/** A URL that cannot be parsed may carry a password all the same. */
function withoutUser(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//***@");
}
