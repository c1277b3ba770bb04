import { onCommand, openConnections, serve } from "./trivial-server.js";

process.on("message", (message, socket) => {
  if (message.socket === undefined) return onCommand(message);
  // Undefined if the client has closed the connection on the way.
  if (socket) {
    socket.allowHalfOpen = true;
    serve(socket);
    socket.once("close", reportSoon);
  }
  process.send({ ack: message.socket, open: openConnections() });
});

// Otherwise the primary would never learn that the connections of a worker that gets no more sockets have closed.
let reporting = false;

function reportSoon() {
  if (reporting) return;
  reporting = true;
  setTimeout(() => {
    reporting = false;
    process.send({ ack: 0, open: openConnections() });
  }, 20);
}

process.on("disconnect", () => process.exit());
