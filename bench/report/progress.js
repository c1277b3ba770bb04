/** Shows progress: on a terminal in a line that is updated, elsewhere in one line at the beginning. */
export function progressOf(title, steps) {
  let done = 0;
  const live = process.stderr.isTTY;
  if (!live) console.error(`... ${title}`);
  return () => {
    done++;
    if (live) process.stderr.write(done === steps ? "\r\u001b[K" : `\r\u001b[K${title}: ${done} of ${steps}`);
  };
}
