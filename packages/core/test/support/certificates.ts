import { readFileSync } from "node:fs";

const read = (name: string) => readFileSync(new URL(`./certs/${name}`, import.meta.url), "utf8");

/** A certificate for localhost, which is its own authority. */
export const cert: string = read("localhost.crt");
export const key: string = read("localhost.key");
/** The same, until yesterday. */
export const expired: string = read("expired.crt");
