/**
 * What is wrong with a message: its syntax or framing (`malformed`), the size or number of its fields (`too-large`), or a
 * transfer coding that is not implemented (`unsupported`).
 */
export type Http1Fault = "malformed" | "too-large" | "unsupported";

/** A message of a peer that cannot be read further. Each side maps the fault to an error of its own. */
export class Http1Error extends Error {
  override readonly name = "Http1Error";
  readonly fault: Http1Fault;

  constructor(fault: Http1Fault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Makes the error of a message whose syntax or framing is wrong. */
export function malformed(reason: string): Http1Error {
  return new Http1Error("malformed", reason);
}
