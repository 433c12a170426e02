import { describe, expect, it } from "@jest/globals";
import { servingRoom } from "../../../../gpu-workers/src/serving/serving-room.ts";

/** HuggingFaceTB/SmolLM2-135M. */
const SMOLLM2 = {
  ...{ model_type: "llama", hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30, vocab_size: 49_152 },
  ...{ num_attention_heads: 9, num_key_value_heads: 3, max_position_embeddings: 8192, rms_norm_eps: 1e-5 },
  ...{ rope_theta: 100_000, hidden_act: "silu", tie_word_embeddings: true },
};
const config = Buffer.from(JSON.stringify(SMOLLM2));
const GIBIBYTE = 1024 ** 3;

describe("the room for texts", () => {
  it("is what the weights and what is kept for good leave of the memory", () => {
    const options = { device: "cpu", heldBytes: GIBIBYTE, memoryBytes: 4 * GIBIBYTE } as const;
    const { weightBytes, tokenBytes, tokens } = servingRoom(config, "config.json", options);
    // 134,515,008 parameters, as the model's card has it; 30 blocks of keys and values of 3 heads of 64
    expect([weightBytes, tokenBytes]).toEqual([4 * 134_515_008, 30 * 2 * 3 * 64 * 4]);
    expect(tokens).toBe(Math.floor((3 * GIBIBYTE - 400e6 - weightBytes) / tokenBytes));
    expect(servingRoom(config, "config.json", { ...options, heldBytes: 4 * GIBIBYTE }).tokens).toBe(0);
  });

  it("looks at this machine unless told otherwise, and at no GPU", () => {
    const here = servingRoom(config, "config.json", { device: "cpu", heldBytes: 0 });
    expect(here.tokens).toBeGreaterThan(0);
    expect(servingRoom(config, "config.json", { device: "cuda", heldBytes: 0 }).tokens).toBeNull();
  });
});
