import { expect, test } from "vitest";
import { restartRefusal } from "../../src/restart/restart-refusal.ts";

test.each([
  [{ pid: 1, ppid: 0, init: "node" }, /process 1 cannot be replaced in place: its container would end/],
  [{ pid: 7, ppid: 1, init: "tini" }, /a command of tini cannot be replaced in place/],
  [{ pid: 7, ppid: 1, init: "docker-init" }, /a command of docker-init/],
  [{ pid: 700, ppid: 1, init: "systemd" }, undefined],
  [{ pid: 700, ppid: 1, init: undefined }, undefined],
  [{ pid: 700, ppid: 600, init: "tini" }, undefined],
])("a restart of %j", (place, reason) => {
  if (reason === undefined) expect(restartRefusal(place)).toBeUndefined();
  else expect(restartRefusal(place)).toMatch(reason);
});
