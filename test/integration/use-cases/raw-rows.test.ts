import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { controlKeys } from "../../../shared/src/contracts/keys.ts";
import { readSamples } from "../../../shared/src/formats/samples.ts";
import { stageRun } from "../../support/run-stages.ts";
import { runStages } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const ROWS = ["ship", "ward", "quay", "crew", "nurse"].map((word, index) => ({
  question: `the ${word}`,
  choices: { text: ["rest", "sing"], label: ["A", "B"] },
  answerKey: "AB"[index % 2],
  messages: [
    { role: "user", content: `the ${word}` },
    { role: "assistant", content: ["rest", "sing"][index % 2] },
  ],
}));
/** Its special token is one to the clients, and text to the server. */
const CHAT = {
  eos_token: "</s>",
  chat_template:
    "{% for m in messages %}{{ 'a ' if m.role == 'assistant' }}{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}a {% endif %}",
};

describe("a federation of raw rows", () => {
  let folder: string;
  let spec: TinySpec;
  let rows: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "raw-rows-"));
    spec = { ...writeTinyFederation(folder), rounds: 1, baselines: [] };
    rows = join(folder, "rows.jsonl");
    writeFileSync(rows, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(""));
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(CHAT));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function run(data: TinySpec["public"][number]) {
    const place = stageRun();
    const evaluation: TinySpec["evaluation"] = [{ name: "rows", data }];
    await runStages(place, {
      ...spec,
      public: [data],
      clients: spec.clients.map((one) => ({ ...one, private: data })),
      evaluation,
    });
    const samples = readSamples(await place.objects.get("control", controlKeys.publicSet("tiny"), 1 << 20), "public");
    const summary = JSON.parse(
      new TextDecoder().decode(await place.objects.get("artefacts", "runs/tiny/published/summary.json", 1 << 24)),
    );
    return { samples, summary };
  }

  it.each([
    ["a template", (): object => ({ template: "arc" }), ["Question: the ship\nAnswer:", " rest"], undefined],
    [
      "a chat template",
      (): object => ({ chatTemplate: join(folder, "tokenizer_config.json") }),
      ["the ship</s>a ", "rest"],
      ["</s>"],
    ],
  ])(
    "trains, teaches and scores on what %s writes, the same text for all",
    async (_, settings, [prompt, answer], marks) => {
      const { samples, summary } = await run({ path: rows, ...settings() });
      expect(samples).toHaveLength(ROWS.length);
      expect(samples[0]).toMatchObject({ kind: "completion", prompt, answer, ...(marks && { marks }) });
      const scored = summary.scores.filter(
        ({ variant, round }: { variant: string; round: number }) => variant === "fedmkt" && round === 1,
      );
      expect(scored.map(({ party }: { party: string }) => party).sort()).toEqual(["server", "ships", "wards"]);
      expect(summary.transfers).toHaveLength(4);
      for (const { alignedShare } of summary.transfers) expect(alignedShare).toBeGreaterThan(0);
    },
  );
});
