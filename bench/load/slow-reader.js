import net from "node:net";
import { toRequest } from "./request.js";

const restMs = 20;
const sliceBytes = 16 * 1_024 * 1_024;

/** Reads nothing at first, then in slices with pauses. Resolves with the bytes of the response body. */
export function readSlowly({ port, bytes, firstRestMs }) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(toRequest(`/stream?${bytes}`)));
    const rest = (ms) => {
      socket.pause();
      setTimeout(() => socket.resume(), ms);
    };
    let body = -1;
    let slice = 0;
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`the answer ended after ${body} of ${bytes} bytes`)));
    socket.on("data", (chunk) => {
      if (body === -1) {
        const end = chunk.indexOf("\r\n\r\n");
        if (end === -1) return reject(new Error("no head in the first read"));
        body = chunk.length - end - 4;
        return rest(firstRestMs);
      }
      body += chunk.length;
      slice += chunk.length;
      if (body >= bytes) {
        socket.destroy();
        return resolve({ bytes: body });
      }
      if (slice < sliceBytes) return;
      slice = 0;
      rest(restMs);
    });
  });
}
