import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { parseDataset } from "../../../shared/src/formats/dataset.ts";
import { FUZZED_FORMATS, type FuzzedFormat } from "../../support/fuzz/formats.ts";
import { Broken } from "../../support/fuzz/invariants.ts";
import { type Case, casesOf, strike } from "../../support/fuzz/strike.ts";

/** `npm run bench -- fuzz` draws ten times as many, and turns every bit. */
const CASES = 2000;

describe.each(FUZZED_FORMATS)("a changed file ($name)", (format) => {
  it("is refused by name, or what is read of it holds, within stated time and memory", () => {
    const seen = { refused: 0, harmless: 0 };
    fc.assert(
      fc.property(casesOf(format), (one) => {
        seen[strike(format, one).outcome]++;
      }),
      { numRuns: CASES, seed: 7 },
    );
    // neither all at the door nor all let through
    expect(seen.refused).toBeGreaterThan(CASES / 4);
    expect(seen.harmless).toBeGreaterThan(CASES / 50);
  });

  it("is read, and holds, where nothing is changed", () => {
    for (let example = 0; example < format.examples.length; example++)
      for (const lies of ["alone", "within", "buffer"] as const)
        expect(strike(format, { example, changes: [], sealed: true, lies })).toEqual({ outcome: "harmless" });
  });
});

describe("the fuzzing", () => {
  const one: Case = { example: 0, changes: [], sealed: false, lies: "alone" };
  const formatThat = (read: FuzzedFormat["read"]): FuzzedFormat => ({
    name: "made up",
    framing: "json",
    examples: [new Uint8Array(3)],
    codes: /^KNOWN$/,
    read,
  });
  const refusing = (code: string, message: string) =>
    formatThat(() => {
      throw new InvalidInputError(code, message);
    });

  it("lets a refusal pass", () => {
    expect(strike(refusing("KNOWN", "it: expected more"), one)).toEqual({ outcome: "refused", code: "KNOWN" });
  });

  it.each([
    ["a crash", formatThat(() => undefined as never), TypeError],
    ["a code that the reader does not have", refusing("OTHER", "it: expected more"), "expected a code like"],
    ["a refusal without the file's name", refusing("KNOWN", "expected more"), "expected the file to be named first"],
    ["a refusal without end", refusing("KNOWN", `it: ${"x".repeat(1000)}`), "expected a short message"],
    ["half a character", refusing("KNOWN", "it: \ud800"), "well-formed"],
    [
      "what must not be let through",
      formatThat(() => () => {
        throw new Broken("expected order");
      }),
      Broken,
    ],
    [
      "arrays beyond what is stated",
      formatThat(() => {
        const array = new Float64Array(4 * 2 ** 20);
        return () => expect(array[0]).toBe(0);
      }),
      "bytes of arrays for a file of 3",
    ],
    [
      "objects beyond what is stated",
      formatThat(() => {
        const list = Array.from({ length: 2 ** 21 }, (_, index) => ({ index }));
        return () => expect(list[0].index).toBe(0);
      }),
      "bytes of heap for a file of 3",
    ],
    [
      "a reader that takes its time",
      formatThat(() => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
        return () => {};
      }),
      "took",
    ],
  ])("notices %s", (_, format, failure) => {
    // what earlier cases have left must not be collected meanwhile: it would hide what this one takes
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
    expect(() => strike(format, one)).toThrow(failure as string);
  });
});

describe("bytes of any kind", () => {
  it("are a data set, or refused by name", () => {
    const line = fc.oneof(
      fc.json(),
      fc.constantFrom('{"text":"a"}', '{"prompt":"a","completion":"b"}', '{"messages":[]}', '{"text":"a","id":1}', ""),
      fc.string({ unit: "binary" }),
    );
    const content = fc.oneof(
      fc.array(line).map((lines) => new TextEncoder().encode(lines.join("\n"))),
      fc.uint8Array({ maxLength: 60 }),
    );
    fc.assert(
      fc.property(content, (bytes) => {
        try {
          for (const record of parseDataset(bytes, "it.jsonl")) expect(record.line).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInputError);
          expect((error as Error).message).toMatch(/^it\.jsonl, line \d+: /);
        }
      }),
      { numRuns: 2000, seed: 8 },
    );
  });
});
