import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { TextStream } from "../../../shared/src/core/generation/text-stream.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function stream(tokens: readonly (Uint8Array | null)[], stop: string | null = null, dropsSpace = false) {
  const text = new TextStream({ stop, dropsSpace });
  const pieces = tokens.map((token) => text.take(token));
  return { pieces, last: text.end(), stopped: text.stopped };
}

describe("text that comes out of tokens", () => {
  it("gives a character out once its last byte is there", () => {
    const fox = bytes("🦊");
    expect(stream([bytes("a"), fox.slice(0, 2), fox.slice(2), bytes("b")]).pieces).toEqual(["a", "", "🦊", "b"]);
  });

  it("writes what is no UTF-8, or was never finished, as U+FFFD", () => {
    expect(stream([Uint8Array.of(0xff), bytes("a")]).pieces).toEqual(["\ufffd", "a"]);
    expect(stream([bytes("🦊").slice(0, 2)])).toMatchObject({ pieces: [""], last: "\ufffd" });
  });

  it("has no text for a special token", () => {
    expect(stream([bytes("a"), null, bytes("b")]).pieces).toEqual(["a", "", "b"]);
  });

  it("leaves out the tokenizer's own space at the beginning, and no other", () => {
    expect(stream([bytes(" a"), bytes(" b")], null, true).pieces).toEqual(["a", " b"]);
    expect(stream([bytes("a"), bytes(" b")], null, true).pieces).toEqual(["a", " b"]);
    expect(stream([bytes(""), bytes(" a")], null, true).pieces).toEqual(["", "a"]);
  });

  it("keeps a byte order mark, as the tokens have it", () => {
    expect(stream([bytes("\ufeffa")]).pieces).toEqual(["\ufeffa"]);
  });

  it("has no end of its own: without a stop text all is given out", () => {
    expect(stream([bytes("null"), bytes(" and void")])).toEqual({
      pieces: ["null", " and void"],
      last: "",
      stopped: false,
    });
  });

  it("ends before the stop text, and gives nothing out that might be its beginning", () => {
    expect(stream([bytes("one\n"), bytes("x\n"), bytes("\ntwo"), bytes("three")], "\n\n")).toEqual({
      pieces: ["one", "\nx", "", ""],
      last: "",
      stopped: true,
    });
    expect(stream([bytes("one E"), bytes("very"), bytes(" EN"), bytes("D")], "END").pieces).toEqual([
      ...["one ", "Every", " ", ""],
    ]);
    expect(stream([bytes("one\n")], "\n\n")).toEqual({ pieces: ["one"], last: "\n", stopped: false });
  });

  it("is the whole text up to the stop text, however it is cut into tokens", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "b", "é", "🦊") }), fc.array(fc.nat(12)), (text, cuts) => {
        const whole = bytes(text);
        const ends = [...cuts.map((cut) => Math.min(cut, whole.length)), whole.length].sort((a, b) => a - b);
        const tokens = ends.map((end, index) => whole.slice(ends[index - 1] ?? 0, end));
        const { pieces, last } = stream(tokens, "ab🦊");
        const at = text.indexOf("ab🦊");
        expect(pieces.join("") + last).toBe(at < 0 ? text : text.slice(0, at));
      }),
    );
  });
});
