import { fuzz } from "./fuzz/fuzz.ts";
import { serveOwn } from "./fuzz/serve-own.ts";

fuzz("own", serveOwn, 800);
