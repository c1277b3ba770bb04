/**
 * While a process and its successor both write to the standard streams, each write must be so short that the system does not
 * divide it. Otherwise lines of one process would come between the parts of a line of the other.
 */

/** Bytes that a pipe takes as a whole (PIPE_BUF of Linux). Sockets take more. */
const undividedBytes = 4_096;

let shares = 0;

/** Returns the function that ends the sharing. */
export function shareStandardStreams(): () => void {
  shares++;
  let ended = false;
  return () => {
    if (!ended) shares--;
    ended = true;
  };
}

/** Returns the length of the first part of a block of lines that may be written at once. A longer line is not divided. */
export function undividedLength(block: Buffer): number {
  if (shares === 0 || block.length <= undividedBytes) return block.length;
  const end = block.lastIndexOf(0x0a, undividedBytes - 1);
  return (end === -1 ? block.indexOf(0x0a, undividedBytes) : end) + 1 || block.length;
}
