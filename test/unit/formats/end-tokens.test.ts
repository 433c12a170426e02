import { describe, expect, it } from "@jest/globals";
import { parseEndTokens } from "../../../shared/src/formats/end-tokens.ts";

const parse = (value: unknown) => parseEndTokens(new TextEncoder().encode(JSON.stringify(value)), "config.json");

describe("the tokens that end a model's texts", () => {
  it("are one id, several, or none", () => {
    expect(parse({ eos_token_id: 2 })).toEqual([2]);
    expect(parse({ eos_token_id: [128001, 128009] })).toEqual([128001, 128009]);
    expect(parse({ eos_token_id: null })).toEqual([]);
    expect(parse({})).toEqual([]);
  });

  it.each([
    [{ eos_token_id: "</s>" }, "eos_token_id: expected a token's id or a list of them, got text of 4 characters"],
    [{ eos_token_id: [1, 2.5] }, "eos_token_id: expected a token's id or a list of them, got a number"],
    [[2], "expected an object, got a list of 1"],
    [null, "expected an object, got null"],
  ])("are refused as %j", (value, reason) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({ code: "INVALID_MODEL_CONFIG", message: `config.json: ${reason}` }),
    );
  });
});
