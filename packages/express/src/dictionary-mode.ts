import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * V8 before 13, as in Node before 24, does not share hidden classes (shapes) among objects whose prototype is changed after
 * they have properties.
 */
const losesShapes = Number.parseInt(process.versions.v8, 10) < 13;

/**
 * Makes V8 keep the properties of a request or response in dictionary mode, if that is faster.
 *
 * Express changes the prototype of each. Where V8 does not share shapes after that, every added property copies the descriptors
 * of the forty before it into a shape for this object alone, and inline caches miss for the object. All dictionaries have one
 * shape: on Node 20 this saves more than a quarter of the cost of a request.
 */
export function useDictionaryMode(message: IncomingMessage | ServerResponse): void {
  if (!losesShapes || Object.getPrototypeOf(message) === message.constructor.prototype) return;
  // Deleting a property puts an object into dictionary mode. This one is undefined on the prototype as well.
  const emitter: { _maxListeners?: number } = message as object;
  if (emitter._maxListeners === undefined) delete emitter._maxListeners;
}
