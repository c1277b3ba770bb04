// What the workers of all groups serve: a fixed response to each packet, which is one request of the load.

const response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const lastResponse = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/** The number of open connections of this process. */
let open = 0;

export function openConnections() {
  return open;
}

export function serve(socket) {
  open++;
  socket.setNoDelay(true);
  socket.on("close", () => open--);
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    if (bytes.includes("Connection: close")) socket.end(lastResponse);
    else socket.write(response);
  });
  socket.on("end", () => socket.end());
}

/** Blocks the event loop for 20 of every 25 ms, like a worker with much to do. */
function keepBusy(busy) {
  clearInterval(timer);
  timer = busy ? setInterval(block, 25) : undefined;
}

let timer;

function block() {
  const until = performance.now() + 20;
  while (performance.now() < until);
}

/** The messages of run.js to a worker, which the primary passes on. */
export function onCommand({ command, busy }) {
  if (command === "count") process.send({ open });
  if (command === "busy") keepBusy(busy);
}
