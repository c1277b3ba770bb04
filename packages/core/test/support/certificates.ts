import { readFileSync } from "node:fs";

const read = (name: string) => readFileSync(new URL(`./certs/${name}`, import.meta.url), "utf8");

/** A certificate for localhost, which is its own authority. */
export const cert: string = read("localhost.crt");
export const key: string = read("localhost.key");
/** The same, until yesterday. */
export const expired: string = read("expired.crt");
/** For exact.test and a.wild.test. */
export const exact: { readonly cert: string; readonly key: string } = {
  cert: read("exact.crt"),
  key: read("exact.key"),
};
/** For *.wild.test and exact.test. */
export const wildcard: { readonly cert: string; readonly key: string } = {
  cert: read("wildcard.crt"),
  key: read("wildcard.key"),
};
