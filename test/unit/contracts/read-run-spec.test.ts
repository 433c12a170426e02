import { describe, expect, it } from "@jest/globals";
import { readRunSpec } from "../../../shared/src/contracts/read-run-spec.ts";
import { InvalidSpecError } from "../../../shared/src/contracts/spec-mistake.ts";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { SPEC } from "../../support/spec.ts";

function mistakesIn(text: string): string[] {
  try {
    readRunSpec(text, "run.yaml");
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    return error.mistakes.map(({ path, line, message }) => `${line ?? "-"} ${path}: ${message}`);
  }
  return [];
}

describe("reading a run's spec", () => {
  it("fills in the paper's defaults", () => {
    const spec = readRunSpec(SPEC, "run.yaml");
    expect(spec.server.lora).toEqual({ rank: 8, alpha: 16, dropout: 0.05, targets: "default" });
    expect(spec.clients[0].training).toMatchObject({ batchSize: 4, weightDecay: 0.1, betas: [0.9, 0.95] });
    expect(spec.public).toEqual([{ path: "public.jsonl" }]);
  });

  it("names five mistakes at once, each with its path and line", () => {
    const text = SPEC.replace("rounds: 2", "rounds: 0")
      .replace("sampleBytes: 200", "sampleBytes: many")
      .replace("id: ward", "id: harbour")
      .replace("learningRate: 0.002", "learningRat: 0.002")
      .replace("owner: harbour", "owner: harbor");
    expect(mistakesIn(text)).toEqual([
      "2 rounds: expected at least 1, got 0",
      '3 sampleBytes: expected a number, got "many"',
      "11 clients[0].training.learningRate: missing; expected a number",
      "11 clients[0].training.learningRat: unknown key; did you mean learningRate?",
      '12 clients[1].id: the id "harbour" is taken by clients[0]',
      '19 evaluation[0].owner: no client has the id "harbor"; there are harbour',
    ]);
  });

  it("has a client's jobs run in the coordinator's cluster unless it says otherwise, and knows no budget", () => {
    const spec = readRunSpec(SPEC.replace("  - id: ward", "  - id: ward\n    compute: worker"), "run.yaml");
    expect(spec.clients.map(({ compute }) => compute)).toEqual(["ecs", "worker"]);
    expect(spec.budget).toBeUndefined();
    expect(readRunSpec(`${SPEC}\nbudget: { dollars: 12.5 }\n`, "run.yaml").budget).toEqual({ dollars: 12.5 });
  });

  describe("with a gate", () => {
    const HARBOUR = SPEC.replace("private: harbour.jsonl", "private: harbour.jsonl\n    validation: held-out.jsonl");

    it("forgives nothing unless it says how much, and has no gate unless it asks for one", () => {
      expect(readRunSpec(`${HARBOUR}gate: {}\n`, "run.yaml")).toMatchObject({
        gate: { tolerance: 0 },
        clients: [{ validation: { path: "held-out.jsonl" } }, {}],
      });
      expect(readRunSpec(`${HARBOUR}gate: { tolerance: 0.05 }\n`, "run.yaml").gate).toEqual({ tolerance: 0.05 });
      expect(readRunSpec(SPEC, "run.yaml").gate).toBeUndefined();
      const ofServer = SPEC.replace("server:\n", "server:\n  validation: { path: server.jsonl, samples: 9 }\n");
      expect(readRunSpec(`${ofServer}gate: {}\n`, "run.yaml").server.validation).toEqual({
        path: "server.jsonl",
        samples: 9,
      });
    });

    it.each(["gate: true", "gate: { tolerance: -0.1 }", "gate: { tolerance: .nan }", "gate: { epsilon: 1 }", "gate:"])(
      "refuses %s",
      (line) => {
        expect(mistakesIn(`${HARBOUR}${line}\n`).join()).toContain("gate");
      },
    );

    it("has somebody to judge, and judges whoever has held-out data: else it is told with all other mistakes", () => {
      expect(mistakesIn(`${SPEC}gate: {}\n`.replace("sampleBytes: 200", "sampleBytes: many"))).toEqual([
        '3 sampleBytes: expected a number, got "many"',
        "20 gate: a gate judges by held-out sets, but no party has any: give server or clients a validation, or leave it out",
      ]);
      const both = HARBOUR.replace("server:\n", "server:\n  validation: server.jsonl\n");
      const unused = "only a gate judges by it: add gate: {}, or leave it out";
      expect(mistakesIn(both)).toEqual([`5 server.validation: ${unused}`, `12 clients[0].validation: ${unused}`]);
    });
  });

  it("lets λ be a party's own, and move, and the knowledge's loss be a mean over all answers", () => {
    const text = SPEC.replace("server:\n", "server:\n  lambda: 0\n").replace("id: ward", "id: ward\n    lambda: 1");
    const spec = readRunSpec(`${text}distillation: { finalLambda: 0.5, knowledgeMean: all }\n`, "run.yaml");
    expect([spec.server.lambda, ...spec.clients.map(({ lambda }) => lambda)]).toEqual([0, undefined, 1]);
    expect(spec.distillation).toMatchObject({ lambda: 0.7, finalLambda: 0.5, knowledgeMean: "all" });
    const { finalLambda, knowledgeMean } = readRunSpec(SPEC, "run.yaml").distillation;
    expect([finalLambda, knowledgeMean]).toEqual([undefined, "taught"]);
    for (const line of ["finalLambda: 1.1", "finalLambda: -1", "knowledgeMean: none"])
      expect(mistakesIn(`${SPEC}distillation: { ${line} }\n`)).toHaveLength(1);
    expect(mistakesIn(text.replace("lambda: 0\n", "lambda: 2\n"))).toEqual([
      "5 server.lambda: expected at most 1, got 2",
    ]);
  });

  it("refuses a mean over answers where more than answers is taught, by choice or by method", () => {
    const mistakes = (method: string, more = "") =>
      mistakesIn(`${SPEC}method: ${method}\ndistillation: { knowledgeMean: all${more} }\n`);
    const refused = [expect.stringContaining("distillation.knowledgeMean: knowledgeMean: all divides by")];
    expect(mistakes("fate")).toEqual(refused);
    expect(mistakes("product", ", positions: all")).toEqual(refused);
    expect(mistakes("fate", ", positions: answer")).toEqual([]);
    expect(mistakes("paper")).toEqual([]);
  });

  it.each([
    ["compute: gpu", "clients[0].compute: expected one of"],
    ["compute: [ecs]", "clients[0].compute: expected one of"],
  ])("refuses %s", (line, message) => {
    expect(mistakesIn(SPEC.replace("  - id: harbour", `  - id: harbour\n    ${line}`)).join()).toContain(message);
  });

  it.each(["budget: {}", "budget: { dollars: 0 }", "budget: { dollars: -1 }", "budget: 5", "budget: { euros: 5 }"])(
    "refuses %s",
    (line) => {
      expect(mistakesIn(`${SPEC}\n${line}\n`).join()).toMatch(/budget/);
    },
  );

  it("scores nobody else on a held-out set that does not leave its owner's site", () => {
    const worker = SPEC.replace("  - id: harbour", "  - id: harbour\n    compute: worker");
    expect(mistakesIn(`${worker}simulation: true\n`)).toEqual([
      expect.stringMatching(/evaluation\[0\]\.owner: harbour's jobs run at its own site.*leave out owner/),
    ]);
    expect(mistakesIn(`${worker}simulation: false\n`)).toEqual([]);
    const other = SPEC.replace("  - id: ward", "  - id: ward\n    compute: worker");
    expect(mistakesIn(`${other}simulation: true\n`)).toEqual([]);
  });

  it.each(["x".repeat(41), "a+b", "-a", "A"])("refuses %s as a name of a run or a client", (name) => {
    expect(mistakesIn(SPEC.replace("name: toy", `name: ${name}`)).join()).toContain("name: ");
    expect(mistakesIn(SPEC.replace("id: ward", `id: ${name}`)).join()).toContain("clients[1].id: ");
  });

  it("refuses two hyphens in a name, which stand between two clients' names in a key, and between a run and its variants", () => {
    expect(mistakesIn(SPEC.replace("id: ward", "id: ward--two"))).toEqual([
      '12 clients[1].id: expected lower-case letters, digits and single -, starting with a letter or digit, at most 40, got "ward--two"',
    ]);
    expect(mistakesIn(SPEC.replace("id: ward", "id: ward-two-b"))).toEqual([]);
    expect(mistakesIn(SPEC.replace("name: toy", "name: toy--fedavg"))).toEqual([
      expect.stringContaining("name: expected lower-case letters, digits and single -"),
    ]);
  });

  it("is an InvalidInputError whose message lists every mistake", () => {
    const read = () => readRunSpec(SPEC.replace("rounds: 2", "rounds: x\nround: 3"), "my/run.yaml");
    expect(read).toThrow(InvalidInputError);
    expect(read).toThrow(
      'my/run.yaml: 2 mistakes\n  line 2, rounds: expected a number, got "x"\n  line 3, round: unknown key; did you mean rounds?',
    );
  });

  it.each([
    ["distilation: {}", "distillation"],
    ["base_lines: []", "baselines"],
    ["Seed: 1", "seed"],
    ["samples_per_shard: 4", "samplesPerShard"],
  ])("answers the unknown key in %s with %s", (line, meant) => {
    expect(mistakesIn(`${SPEC}\n${line}\n`).join()).toContain(`unknown key; did you mean ${meant}?`);
  });

  it("says where a name of FATE-LLM's belongs, and what to give where there is no such name", () => {
    expect(mistakesIn(`${SPEC}\nlora_alpha: 3\n`)).toEqual([
      expect.stringContaining("lora_alpha: unknown key here; it is server.lora.alpha"),
    ]);
    expect(mistakesIn(`${SPEC}\ngradient_accumulation_steps: 3\n`).join()).toContain("give batchSize");
  });

  it("takes FATE-LLM's, Hugging Face's and PEFT's names for its own", () => {
    const text = `${SPEC.replace("rounds: 2", "global_epochs: 5").replace(
      "learningRate: 0.002",
      "learning_rate: 0.003, client_priv_data_local_epoch: 7, per_device_train_batch_size: 1",
    )}
kd_alpha: 0.5
distillation: { top_k_logits_keep: 16, distill_temperature: 2 }
post_fedavg: false
`.replace(
      "model: models/server",
      "model: models/server\n  lora: { r: 4, lora_alpha: 32, lora_dropout: 0.1, target_modules: all-linear }",
    );
    const spec = readRunSpec(text, "run.yaml");
    expect(spec.rounds).toBe(5);
    expect(spec.distillation).toMatchObject({ lambda: 0.5, topK: 16, temperature: 2 });
    expect(spec.aggregation).toBe("none");
    expect(spec.clients[0].training).toMatchObject({ learningRate: 0.003, privateEpochs: 7, microBatchSize: 1 });
    expect(spec.server.lora).toEqual({ rank: 4, alpha: 32, dropout: 0.1, targets: "all-linear" });
  });

  it("takes FATE-LLM's names of the choices that make a method", () => {
    const chosen = (text: string) => readRunSpec(`${SPEC}\n${text}\n`, "run.yaml").distillation;
    expect(chosen("method: paper\ntoken_align_strategy: greedy_dp\ndistill_strategy: weighted_mean")).toMatchObject({
      alignment: "greedy-dp",
      selection: "weighted-mean",
      transfer: "paper",
    });
    expect(chosen("method: fate\nskip_align: true").alignment).toBe("byte-offset");
    expect(chosen("method: fate\nskip_align: false").alignment).toBe("dtw");
    expect(chosen("skip_align: false\ntoken_align_strategy: dtw").alignment).toBe("dtw");
    expect(mistakesIn(`${SPEC}\nskip_align: true\ntoken_align_strategy: dtw\n`)).toEqual([
      expect.stringContaining("skip_align: the same as token_align_strategy, which is given too"),
    ]);
    expect(mistakesIn(`${SPEC}\ndistill_loss_type: kl\n`).join()).toContain("ce and kl differ by the source's entropy");
  });

  it("refuses a setting given under two names", () => {
    expect(mistakesIn(`${SPEC}\nglobal_epochs: 3\n`)).toEqual([
      "21 global_epochs: the same as rounds, which is given too; keep one of them",
    ]);
  });

  it("names the place as it was written where the value of another name is wrong", () => {
    expect(mistakesIn(`${SPEC}\nkd_alpha: 2\n`)).toEqual(["21 kd_alpha: expected at most 1, got 2"]);
  });

  it("refuses a beta of 1, which AdamW would divide by zero for", () => {
    const spec = SPEC.replace("learningRate: 0.002", "learningRate: 0.002, betas: [0.9, 1]");
    expect(mistakesIn(spec)).toEqual([expect.stringMatching(/betas\[1\]: expected less than 1, got 1$/)]);
  });

  it("refuses a dropout of 1, which would leave an adapter nothing to see", () => {
    const spec = SPEC.replace("model: models/server", "model: models/server\n  lora: { dropout: 1 }");
    expect(mistakesIn(spec)).toEqual([expect.stringMatching(/server\.lora\.dropout: expected less than 1, got 1$/)]);
  });

  it("tells a mistake within data by the form that was meant", () => {
    expect(mistakesIn(SPEC.replace("  - public.jsonl", "  - { path: p.jsonl, sample: 3 }"))).toEqual([
      "17 public[0].sample: unknown key; did you mean samples?",
    ]);
    expect(mistakesIn(SPEC.replace("  - public.jsonl", "  - 7"))).toEqual([
      "17 public[0]: expected a text or a mapping of keys to values, got 7",
    ]);
  });

  it("refuses a key twice, a second document, a tag of its own and text that is no mapping", () => {
    expect(mistakesIn(`${SPEC}\nrounds: 3\n`)).toEqual([expect.stringContaining("the key rounds is given twice")]);
    expect(mistakesIn(`${SPEC}\n---\nrounds: 3\n`)).toEqual([expect.stringContaining("multiple documents")]);
    expect(mistakesIn(`${SPEC}\nseed: !own 3\n`)).toEqual([expect.stringContaining("tag")]);
    expect(mistakesIn("")).toEqual(["- : is empty; expected a run's spec"]);
  });

  it("keeps keys such as __proto__ from being more than unknown keys", () => {
    expect(mistakesIn(`${SPEC}\n__proto__: { simulation: true }\n`).join()).toContain("__proto__: unknown key");
  });

  it("refuses anchors that multiply, nesting without end and more than a mebibyte", () => {
    const lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
    for (const [before, name] of ["ab", "bc", "cd", "de", "ef"])
      lines.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join()}]`);
    expect(mistakesIn(lines.join("\n"))).toEqual([expect.stringContaining("alias")]);
    expect(mistakesIn("[".repeat(100_000))).toEqual(["1 : nested too deeply"]);
    expect(mistakesIn(`# ${"x".repeat(1024 * 1024)}`)).toEqual(["- : expected at most 1048576 bytes"]);
  });

  it("sees equal lora settings whether defaults are written or left out", () => {
    const averaged = `${SPEC}\naggregation: fedavg\n`;
    const third = (lora: string) => averaged.replace("id: ward", `id: ward\n    lora: ${lora}`);
    expect(mistakesIn(third("{ rank: 8 }"))).toEqual([]);
    expect(mistakesIn(third("{ dropout: 0.05 }"))).toEqual([]);
    expect(mistakesIn(third("{ dropout: 0 }"))).toHaveLength(1);
    expect(mistakesIn(third("{ rank: 4 }"))).toEqual([expect.stringContaining("fedavg needs the same lora settings")]);
  });

  describe("with clients that come and go", () => {
    const spec = (harbour: string, ward: string, rounds = 4) =>
      SPEC.replace("rounds: 2", `rounds: ${rounds}`)
        .replace("  - id: harbour", `  - id: harbour\n    ${harbour}`)
        .replace("  - id: ward", `  - id: ward\n    ${ward}`);

    it("has them take part from the first to the last round unless it says otherwise", () => {
      const { clients } = readRunSpec(SPEC, "run.yaml");
      expect(clients.map(({ joinsAtRound, leavesAfterRound }) => [joinsAtRound, leavesAfterRound])).toEqual([
        [1, undefined],
        [1, undefined],
      ]);
      expect(mistakesIn(spec("joinsAtRound: 2", "leavesAfterRound: 3"))).toEqual([]);
    });

    it("refuses that they leave before they come, or come after the run", () => {
      expect(mistakesIn(spec("joinsAtRound: 3\n    leavesAfterRound: 2", "joinsAtRound: 1"))).toEqual([
        expect.stringContaining("clients[0].leavesAfterRound: expected at least joinsAtRound (3), got 2"),
      ]);
      expect(mistakesIn(spec("joinsAtRound: 5", "leavesAfterRound: 9"))).toEqual([
        expect.stringContaining("clients[0].joinsAtRound: expected at most rounds (4), got 5"),
        expect.stringContaining("clients[1].leavesAfterRound: expected at most rounds (4), got 9"),
      ]);
    });

    it("refuses rounds without any client, and names them", () => {
      expect(mistakesIn(spec("leavesAfterRound: 1", "joinsAtRound: 3"))).toEqual([
        expect.stringContaining("clients: every round needs a client: round 2 of 4 would have none"),
      ]);
      expect(mistakesIn(spec("joinsAtRound: 8", "joinsAtRound: 9", 9))).toEqual([
        expect.stringContaining("rounds 1, 2, 3, 4, 5, … of 9 would have none"),
      ]);
    });
  });

  describe("with baselines that it cannot have", () => {
    const asking = (baseline: string, more = "") => mistakesIn(`${SPEC}\nbaselines: [${baseline}]\n${more}\n`);

    it("trains the server on private sets in a simulation alone, and never on those of a site", () => {
      expect(asking("centralized")).toEqual([expect.stringMatching(/baselines\[0\]: centralized.*simulation: true/)]);
      expect(asking("centralized", "simulation: true")).toEqual([]);
      const site = SPEC.replace("  - id: ward", "  - id: ward\n    compute: worker");
      expect(mistakesIn(`${site}\nbaselines: [standalone, centralized]\nsimulation: true\n`)).toEqual([
        expect.stringMatching(/baselines\[1\]: centralized.*ward does not leave its site/),
      ]);
    });

    it("refuses one that would be the run itself, or that has nothing to compare", () => {
      expect(asking("one-way")).toEqual([]);
      expect(asking("one-way", "llm_training: false")).toEqual([
        expect.stringContaining("one-way would be this very run, whose direction is to-clients"),
      ]);
      expect(asking("one-way", "distillation: { direction: none }")).toEqual([
        expect.stringContaining("with direction: none nothing is transferred"),
      ]);
      const averaged = "aggregation: fedavg\ndistillation: { direction: none }";
      expect(asking("fedavg, fedavg+public", averaged)).toEqual([
        expect.stringContaining("baselines[1]: fedavg+public would be this very run"),
      ]);
    });

    it("averages adapters of one shape alone", () => {
      const other = SPEC.replace("id: ward", "id: ward\n    lora: { rank: 4 }");
      expect(mistakesIn(`${other}\nbaselines: [standalone, fedavg, fedavg+public]\n`)).toEqual([
        expect.stringMatching(/baselines\[1\]: fedavg needs the same lora settings/),
        expect.stringMatching(/baselines\[2\]: fedavg needs the same lora settings/),
      ]);
    });
  });

  it("takes FATE-LLM's name of one-way transfer", () => {
    const direction = (text: string) => readRunSpec(`${SPEC}\n${text}\n`, "run.yaml").distillation.direction;
    expect(["", "llm_training: true", "llm_training: false"].map(direction)).toEqual(["both", "both", "to-clients"]);
  });
});
