import { evenkeel } from "./plugin.ts";

export type { EvenkeelOptions } from "./options.ts";
export { evenkeel };
export default evenkeel;
