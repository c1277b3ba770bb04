export { isLoopbackListen } from "./access/local-addresses.ts";
export { type Admin, createAdmin } from "./create-admin.ts";
export type { AdminOptions, ListenerSnapshot } from "./options.ts";
