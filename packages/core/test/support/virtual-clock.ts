export { VirtualClock } from "../../src/runtime/virtual-clock.ts";
