import { describe, expect, test } from "vitest";
import { checkOptions } from "../../src/config/check.ts";
import { OptionsError } from "../../src/config/issues.ts";
import { checkHooks } from "../../src/forward/check-hooks.ts";
import { createProxy } from "../../src/proxy.ts";

const hook = () => {};

/** What `createProxy` says of its second argument. */
function messageFor(surroundings: unknown): string {
  try {
    void createProxy({ upstreams: ["http://127.0.0.1:1"] }, surroundings as object).close();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    return (error as OptionsError).message;
  }
  return "";
}

describe("hooks", () => {
  test.each<[string, unknown]>([
    ["none", {}],
    ["some", { onRequest: hook, onError: undefined }],
    ["time and chance beside them", { clock: undefined, random: undefined, onResponse: hook }],
    [
      "a class with members of its own",
      new (class Hooks {
        db = 1;
        once = 2;
        onRequest() {}
      })(),
    ],
  ])("are taken: %s", (_what, given) => {
    expect(messageFor(given)).toBe("");
  });

  test.each<[unknown, string]>([
    [{ onRequst: hook }, 'onRequst: unknown key, did you mean "onRequest"?'],
    [{ onrequest: hook }, 'onrequest: unknown key, did you mean "onRequest"?'],
    [{ hooks: { onRequest: hook } }, "hooks: unknown key; give the hooks directly, as in { onRequest }"],
    [{ before: hook }, "before: unknown key; allowed here: onRequest, onResponse, onError"],
    [{ onRequest: "deny" }, 'onRequest: expected a function, found "deny"'],
    [{ onRequest: null }, "onRequest: expected a function, found null"],
    [JSON.parse('{ "__proto__": 1 }'), "__proto__: unknown key; allowed here: onRequest, onResponse, onError"],
    [
      new (class {
        onRequst() {}
      })(),
      'onRequst: unknown key, did you mean "onRequest"?',
    ],
    [{ onRequst: hook, onEror: hook }, 'onEror: unknown key, did you mean "onError"?'],
    [null, "expected an object with hooks, found null"],
    [[hook], "expected an object with hooks"],
    [hook, "expected an object with hooks, found a function"],
  ])("are refused: %o", (given, message) => {
    expect(messageFor(given)).toContain(message);
  });

  test("of an adapter are refused with their place", () => {
    expect(() => checkHooks({ onRequst: hook }, [], ["hooks"])).toThrow("hooks.onRequst: unknown key");
  });

  test.each(["hooks", "onRequest", "onResponse", "onError"])("in the options are refused: %s", (key) => {
    for (const options of [{ upstreams: [] }, { pools: { p: {} } }]) {
      const messages = checkOptions({ ...options, [key]: hook }).map(({ path, message }) => `${path}: ${message}`);
      expect(messages).toContainEqual(
        expect.stringMatching(new RegExp(`^${key}: unknown key; hooks are functions beside the options`)),
      );
    }
  });
});
