export { evenkeel } from "./evenkeel.ts";
export type { EvenkeelMiddleware, EvenkeelOptions, HookRequest } from "./options.ts";
