/** The headers of a browser. */
export const browserHeaders = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br",
  "Cookie: session=0123456789abcdef; theme=dark",
];

/** A complete request as bytes: a GET, or a POST if there is a body. */
export function toRequest(target, uploadBytes = 0) {
  const line = `${uploadBytes > 0 ? "POST" : "GET"} ${target} HTTP/1.1`;
  const length = uploadBytes > 0 ? [`Content-Length: ${uploadBytes}`] : [];
  const head = `${[line, "Host: bench.example", ...browserHeaders, ...length].join("\r\n")}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(uploadBytes, "x")]);
}
