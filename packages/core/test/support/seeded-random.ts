export { seededRandom } from "../../src/runtime/seeded-random.ts";
