import { fuzz } from "./fuzz/fuzz.ts";
import { serveCore } from "./fuzz/serve-core.ts";

fuzz("core", serveCore, 800);
