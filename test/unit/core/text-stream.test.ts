import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { TextStream } from "../../../shared/src/core/generation/text-stream.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function stream(tokens: readonly (Uint8Array | null)[], stop: readonly string[] = [], dropsSpace = false) {
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
    expect(stream([bytes(" a"), bytes(" b")], [], true).pieces).toEqual(["a", " b"]);
    expect(stream([bytes("a"), bytes(" b")], [], true).pieces).toEqual(["a", " b"]);
    expect(stream([bytes(""), bytes(" a")], [], true).pieces).toEqual(["", "a"]);
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
    expect(stream([bytes("one\n"), bytes("x\n"), bytes("\ntwo"), bytes("three")], ["\n\n"])).toEqual({
      pieces: ["one", "\nx", "", ""],
      last: "",
      stopped: true,
    });
    expect(stream([bytes("one E"), bytes("very"), bytes(" EN"), bytes("D")], ["END"]).pieces).toEqual([
      ...["one ", "Every", " ", ""],
    ]);
    expect(stream([bytes("one\n")], ["\n\n"])).toEqual({ pieces: ["one"], last: "\n", stopped: false });
  });

  it("ends before the stop text that is complete first, whichever of them it is", () => {
    expect(stream([bytes("one two three")], ["three", "two"])).toMatchObject({ pieces: ["one "], stopped: true });
    expect(stream([bytes("one two three")], ["two", "three"])).toMatchObject({ pieces: ["one "], stopped: true });
    expect(stream([bytes("one two")], ["three", "four"])).toMatchObject({ pieces: ["one two"], stopped: false });
    // "b" is complete before "abc" is, though it begins later
    expect(stream([bytes("xabc")], ["abc", "b"]).pieces).toEqual(["xa"]);
    expect(stream([bytes("xabc")], ["b", "abc"]).pieces).toEqual(["xa"]);
  });

  it("leaves out the longest of the stop texts that are complete at the same place", () => {
    expect(stream([bytes("one\r\ntwo")], ["\n", "\r\n"]).pieces).toEqual(["one"]);
    expect(stream([bytes("one\r\ntwo")], ["\r\n", "\n"]).pieces).toEqual(["one"]);
  });

  it("holds back the longest beginning of any stop text", () => {
    expect(stream([bytes("one##"), bytes("x")], ["#!", "###", "e##y"]).pieces).toEqual(["on", "e##x"]);
    expect(stream([bytes("one##"), bytes("x")], ["e##y", "###", "#!"]).pieces).toEqual(["on", "e##x"]);
  });

  it("knows where the next token's text begins, given out or held back", () => {
    const text = new TextStream({ stop: ["END"], dropsSpace: true });
    const begins = [" a", "é🦊 E", "N", "x"].map((token) => {
      const at = text.length;
      text.take(bytes(token));
      return at;
    });
    expect([...begins, text.length]).toEqual([0, 1, 6, 7, 8]);
  });

  it("has not stopped before anything has come", () => {
    expect(new TextStream({ stop: ["END"], dropsSpace: false }).stopped).toBe(false);
  });

  it("is the whole text up to the stop text, however it is cut into tokens", () => {
    const unit = fc.constantFrom("a", "b", "é", "🦊");
    const stops = fc.array(fc.string({ unit, minLength: 1, maxLength: 3 }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.string({ unit }), fc.array(fc.nat(12)), stops, (text, cuts, stop) => {
        const whole = bytes(text);
        const ends = [...cuts.map((cut) => Math.min(cut, whole.length)), whole.length].sort((a, b) => a - b);
        const tokens = ends.map((end, index) => whole.slice(ends[index - 1] ?? 0, end));
        const { pieces, last } = stream(tokens, stop);
        expect(pieces.join("") + last).toBe(untilStop(text, stop));
      }),
    );
  });
});

/** The shortest beginning that ends with a stop text, without the longest one that it ends with. */
function untilStop(text: string, stop: readonly string[]): string {
  for (let end = 0; end <= text.length; end++) {
    const found = stop.filter((one) => text.slice(0, end).endsWith(one)).map((one) => one.length);
    if (found.length > 0) return text.slice(0, end - Math.max(...found));
  }
  return text;
}
