import { expect, test } from "vitest";
import { readOptions } from "../../../../infra/cli/start/options.ts";

test("every option has its default when it is missing", () => {
  expect(readOptions([])).toEqual({
    port: 3000,
    data: ".memocha",
    fresh: false,
    ttlSweep: 5,
    scheduleEvery: undefined,
    isolate: false,
    grants: undefined,
    verbose: false,
    help: false,
  });
});

test("every option is read", () => {
  const given = "--port 0 --data x --fresh --ttl-sweep 1 --schedule-every=10 --isolate --grants g --verbose".split(" ");
  expect(readOptions(given)).toMatchObject({
    port: 0,
    data: "x",
    fresh: true,
    ttlSweep: 1,
    scheduleEvery: 10,
    grants: "g",
  });
});

test.each([
  [["--port", "70000"], '--port must be a whole number from 0 to 65535, not "70000"'],
  [["--port", "http"], '--port must be a whole number from 0 to 65535, not "http"'],
  [["--ttl-sweep", "-1"], "--ttl-sweep"],
  [["--schedule-every", "0"], '--schedule-every must be a whole number from 1 to 86400, not "0"'],
  [["--prot", "1"], "Unknown option '--prot'"],
  [["3000"], "Unexpected argument '3000'"],
  [["--data="], "--data must name a directory"],
])("%j is refused with a precise message", (args, message) => {
  expect(() => readOptions(args)).toThrow(message);
});
