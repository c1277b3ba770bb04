import type { UpstreamAddress } from "./resolved.ts";

/**
 * Parses the URL of an upstream. Returns an error message if it is invalid.
 *
 * Valid schemes are `http:`, `https:` and `http+unix:`, the last with the absolute path of a socket. User info is invalid
 * because URLs are logged. A query or a fragment is invalid because only the path is a prefix of requests.
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
  if (url.username !== "" || url.password !== "") return "an upstream's URL may not contain a user name or a password";
  if (url.search !== "" || url.hash !== "") return "an upstream's URL may not contain a query or a fragment";
  if (url.port === "0") return "expected a port from 1 to 65535, found 0";
  // The URL parser silently repairs these.
  if (!/^\w+:\/\/[^\s\\/][^\s\\]*$/.test(text))
    return "an upstream's URL must have two slashes after its scheme, and no backslashes or white space";
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

/** The default id of an upstream: host:port and path, or the path of its socket, with ":" in place of slashes. */
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

/** A malformed URL can contain a password too. */
function withoutUser(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//***@");
}
