import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * V8 before 13, as in Node before 24, shares no shapes among objects whose prototype was changed when they had properties
 * already.
 */
const losesShapes = Number.parseInt(process.versions.v8, 10) < 13;

/**
 * Makes V8 keep the properties of a request or response in a dictionary, if that is the better place for them.
 *
 * Express changes the prototype of each. Where V8 loses shapes over it, every property that is added from then on, by
 * Express, Node or anybody, copies the descriptors of all forty before it into a shape for this object alone, and all code
 * that meets the object finds nothing in its caches. A dictionary has one shape for all: on Node 20 that saves a good
 * quarter of what a request costs.
 */
export function useDictionaryMode(message: IncomingMessage | ServerResponse): void {
  if (!losesShapes || Object.getPrototypeOf(message) === message.constructor.prototype) return;
  // An object that loses a property becomes a dictionary. This one is undefined on the prototype as well.
  const emitter: { _maxListeners?: number } = message as object;
  if (emitter._maxListeners === undefined) delete emitter._maxListeners;
}
