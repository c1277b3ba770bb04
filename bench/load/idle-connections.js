import { Client } from "./client.js";
import { toRequest } from "./request.js";

/** The open connections, over several tasks. */
let held = [];

/** Opens connections that have sent one request each, and stay open and idle until `releaseIdle`. */
export async function holdIdle({ port, count }) {
  const request = toRequest("/small");
  while (held.length < count) {
    const some = Array.from({ length: Math.min(50, count - held.length) }, () => open(port, request));
    held.push(...(await Promise.all(some)));
  }
}

export function releaseIdle() {
  for (const client of held) client.close();
  held = [];
}

function open(port, request) {
  return new Promise((resolve, reject) => {
    const client = new Client(port, resolve, reject);
    client.send(request);
  });
}
