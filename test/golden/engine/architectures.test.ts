import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { MODEL_TYPES } from "../../../shared/src/engine/architectures/parse-architecture.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { Model, OpenModel } from "../../../shared/src/ports/engine.ts";
import { engine } from "../../support/shared-engine.ts";
import { firstStep } from "./first-step.ts";
import { distance, optionsOf, samplesOf, type TrainingCase, worstDifference } from "./fixture.ts";

/** What scripts/fixtures/architectures.py wrote. */
const folder = resolve(import.meta.dirname, "../fixtures/architectures");

/** ‖got − PyTorch's‖ / ‖PyTorch's‖, of the worst tensor; 16-bit weights are widened on both sides, so that they have it too. */
const TOLERANCE = 1e-4;

interface ArchitectureCase extends Omit<TrainingCase, "lora"> {
  /** null: every weight is trained */
  lora: OpenModel["lora"];
  /** which sample the logits are of */
  longest: number;
  nats: number[];
}

const cases = readdirSync(folder).map((name) => {
  const read = (file: string) => readFileSync(resolve(folder, name, file));
  const wanted: ArchitectureCase = JSON.parse(read("case.json").toString());
  const reference = readSafetensors(new Uint8Array(read("reference.safetensors")), name).tensors;
  const config = JSON.parse(read("config.json").toString());
  return {
    name,
    modelType: config.model_type as string,
    path: resolve(folder, name),
    wanted,
    reference,
    initial: wanted.lora ? partOf(reference, "initial/") : null,
  };
});

/** The tensors under a prefix as a file of their own. */
function partOf(tensors: ReadonlyMap<string, Tensor>, prefix: string): Uint8Array {
  const part = [...tensors].filter(([name]) => name.startsWith(prefix));
  return writeSafetensors(Object.fromEntries(part.map(([name, tensor]) => [name.slice(prefix.length), tensor])), {
    format: "pt",
  });
}

/** By case: the worst figure of each kind, for `FEDMKT_PRINT_FIGURES=1`. */
const figures = new Map<string, Record<string, number>>();

function expectClose(name: string, kind: string, figure: number): void {
  figures.set(name, { ...figures.get(name), [kind]: figure });
  expect(figure).toBeLessThan(TOLERANCE);
}

async function withModel<T>({ path, wanted, initial }: (typeof cases)[number], use: (model: Model) => Promise<T>) {
  const { lora } = wanted;
  const trainable = lora ? "lora" : "all";
  const model = await engine.open({ folder: path, lora, adapter: initial, seed: 0, threads: 1, trainable });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

describe("architectures against transformers and PEFT", () => {
  it.each(cases.map((one) => [one.name, one] as const))("gives the logits and losses of %s", async (name, one) => {
    const { wanted, reference } = one;
    await withModel(one, async (model) => {
      const logits = await model.logits(Int32Array.from(wanted.samples[wanted.longest].ids));
      expectClose(name, "logits", distance(logits, reference.get("logits")!.data as Float32Array));
      expectClose(name, "loss", distance(await model.score(samplesOf(wanted.samples), 2), wanted.nats));
    });
  });

  it.each(cases.map((one) => [one.name, one] as const))("computes the gradients of %s", async (name, one) => {
    const { path, wanted, reference, initial } = one;
    const { loss, gradients } = await firstStep(path, wanted.lora, initial, optionsOf(wanted));
    expectClose(name, "first loss", distance([loss], [wanted.losses[0]]));
    expectClose(name, "gradients", worstDifference(gradients, partOf(reference, "gradient/")));
  });

  it.each(cases.map((one) => [one.name, one] as const))(
    "computes the same gradients of %s, bit by bit, where blocks are computed twice",
    async (_name, { path, wanted, initial }) => {
      const ofMode = (activationCheckpointing: "off" | "on") => {
        const options = optionsOf(wanted);
        return firstStep(path, wanted.lora, initial, {
          ...options,
          training: { ...options.training, activationCheckpointing },
        });
      };
      const [kept, again] = [await ofMode("off"), await ofMode("on")];
      expect(Buffer.from(again.gradients).equals(Buffer.from(kept.gradients))).toBe(true);
      expect(again.loss).toBe(kept.loss);
    },
  );

  it.each(cases.map((one) => [one.name, one] as const))("takes the ten AdamW steps of %s", async (name, one) => {
    const { wanted, reference } = one;
    await withModel(one, async (model) => {
      const { lossByEpoch } = await model.train(optionsOf(wanted));
      expectClose(name, "ten losses", distance(lossByEpoch, wanted.losses));
      const trained = wanted.lora ? await model.adapter() : await model.weights();
      expectClose(name, "trained", worstDifference(trained, partOf(reference, "final/")));
    });
  });

  it("has cases of every architecture", () => {
    expect([...new Set(cases.map(({ modelType }) => modelType))].sort()).toEqual([...MODEL_TYPES].sort());
  });

  afterAll(() => {
    if (!process.env.FEDMKT_PRINT_FIGURES) return;
    const kinds = ["logits", "loss", "first loss", "gradients", "ten losses", "trained"];
    const rows = [...figures].map(([name, row]) => [name, ...kinds.map((kind) => row[kind]?.toExponential(1) ?? "")]);
    const lines = [["case", ...kinds], kinds.concat("").map(() => "---"), ...rows].map(
      (row) => `| ${row.join(" | ")} |`,
    );
    process.stdout.write(`\n${lines.join("\n")}\n`);
  });
});
