export { evenkeel } from "./evenkeel.ts";
export type { EvenkeelMiddleware, EvenkeelOptions } from "./options.ts";
