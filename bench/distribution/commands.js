// The channel between run.js and the primary of a group: run.js asks for the connections of each worker, or makes one busy.

/** Tells run.js that the group is ready, and passes its commands on to the workers. Ends with run.js. */
export function followCommands(port, children) {
  process.on("message", async ({ command, busy, index }) => {
    if (command === "count") process.send({ counts: await Promise.all(children.map(count)) });
    if (command === "busy") {
      children[index].send({ command, busy });
      process.send({});
    }
  });
  process.on("disconnect", () => {
    for (const child of children) child.kill("SIGKILL");
    process.exit();
  });
  process.send({ port, pids: children.map(({ pid }) => pid) });
}

function count(child) {
  if (!child.connected) return 0;
  return new Promise((resolve) => {
    const onMessage = ({ open, ack }) => {
      if (open === undefined || ack !== undefined) return;
      child.off("message", onMessage);
      resolve(open);
    };
    child.on("message", onMessage).send({ command: "count" });
  });
}
