import { Client } from "./client.js";
import { toRequest } from "./request.js";

/** Every connection sends its next request after a response. Resolves with the number of responses and the time. */
export function saturate({ port, target, connections, seconds, uploadBytes }) {
  const request = toRequest(target, uploadBytes);
  const started = performance.now();
  const until = started + seconds * 1_000;
  const clients = [];
  let answers = 0;
  let open = connections;
  return new Promise((resolve, reject) => {
    const fail = (error) => {
      for (const client of clients) client.close();
      reject(error);
    };
    const onAnswer = (client) => {
      answers++;
      if (performance.now() < until) return client.send(request);
      client.close();
      if (--open === 0) resolve({ answers, seconds: (performance.now() - started) / 1_000 });
    };
    for (let index = 0; index < connections; index++) clients.push(new Client(port, onAnswer, fail));
    for (const client of clients) client.send(request);
  });
}
