import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  asChoices,
  asCompletion,
  asText,
  drawQuestions,
  partQuestions,
  type Question,
  readArc,
  TASKS,
} from "../../../bench/experiments/questions.ts";
import { DOMAIN_NAMES, type Domain, drawSamples, halve, writeDraw } from "../../../bench/experiments/texts.ts";
import { mergeSpecs } from "../../../cli/src/experiment/merge-specs.ts";
import { cellsOf, RUN_FACTOR } from "../../../shared/src/contracts/experiment-cells.ts";
import { examineExperimentFile } from "../../../shared/src/contracts/read-experiment-file.ts";
import { examineSpecValue } from "../../../shared/src/contracts/read-run-spec.ts";
import { parseYaml } from "../../../shared/src/contracts/yaml-text.ts";

const FOLDER = fileURLToPath(new URL("../../../bench/experiments/", import.meta.url));
const EXPERIMENTS = readdirSync(FOLDER).filter((name) => /^(gains-|ablation-|questions).*\.yaml$/.test(name));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "experiments-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The spec of each cell of an experiment's file, its locations as they are written. */
function cellSpecs(name: string): Map<string, Record<string, unknown>> {
  const { file, mistakes } = examineExperimentFile(readFileSync(join(FOLDER, name), "utf8"));
  expect(mistakes).toEqual([]);
  const base = typeof file!.base === "string" ? readYaml(join(FOLDER, file!.base)) : file!.base;
  return new Map(
    cellsOf(file!).map(({ name: cell, levels }) => {
      const parts = Object.entries(levels).map(([factor, level]) =>
        factor === RUN_FACTOR ? file!.runs[level] : file!.factors[factor]![level],
      );
      return [cell, mergeSpecs([base, ...parts]) as Record<string, unknown>];
    }),
  );
}

/** Held-out sets by which a gate judges come with it, and are no change by themselves. */
function withoutValidation(spec: Record<string, unknown>): Record<string, unknown> {
  const without = ({ validation: _, ...party }: Record<string, unknown>) => party;
  return {
    ...spec,
    server: without(spec.server as Record<string, unknown>),
    clients: (spec.clients as Record<string, unknown>[]).map(without),
  };
}

function readYaml(path: string): unknown {
  const yaml = parseYaml(readFileSync(path, "utf8"));
  if (Array.isArray(yaml)) throw new Error(`${path}: ${JSON.stringify(yaml)}`);
  return yaml.value;
}

describe("the experiments' files", () => {
  it.each(EXPERIMENTS)("%s has cells that are specs the product accepts, each unlike all others", (name) => {
    const specs = cellSpecs(name);
    for (const spec of specs.values()) expect(examineSpecValue(spec).issues).toEqual([]);
    expect(new Set([...specs.values()].map((spec) => JSON.stringify(spec))).size).toBe(specs.size);
  });

  it.each(["coarse-fine", "like-grain"])(
    "the ablation on %s begins with the run of experiment A, changes one thing at a time, and scores the same sets",
    (federation) => {
      const [first, ...others] = [...cellSpecs(`ablation-${federation}.yaml`).values()].map(withoutValidation);
      const main = withoutValidation(cellSpecs(`gains-${federation}.yaml`).get("main")!);
      expect({ ...main, baselines: [] }).toEqual({ ...first, baselines: [] });
      for (const spec of others) {
        const changed = Object.keys(spec).filter((key) => JSON.stringify(spec[key]) !== JSON.stringify(first![key]));
        expect(changed).toHaveLength(1);
        expect(["method", "distillation", "gate"]).toContain(changed[0]);
      }
    },
  );

  it("name only samples that a draw writes", () => {
    const texts = Object.fromEntries(
      DOMAIN_NAMES.map((domain) => [domain, halve(Array.from({ length: 40 }, (_, index) => `${domain} ${index}`))]),
    ) as Record<Domain, ReturnType<typeof halve>>;
    writeDraw(folder, drawSamples(texts, 1, { heldOut: 3, publicOfEachDomain: 2, private: 4, validation: 2 }));
    const written = readdirSync(folder);
    const named = EXPERIMENTS.flatMap((name) => [...cellSpecs(name).values()])
      .flatMap((spec) => JSON.stringify(spec).match(/\$\{FEDMKT_EXPERIMENTS\}\/texts\/[^"]+/g) ?? [])
      .map((location) => {
        expect(dirname(location)).toMatch(/\/texts\/\$\{SEED\}$/);
        return basename(location);
      });
    expect(new Set(written)).toEqual(new Set(named));
    expect(readFileSync(join(folder, "validation-server.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(8);
  });
});

describe("the samples of a draw", () => {
  it("stand in one set only, those for validation among them, and validation changes no other set", () => {
    const texts = Object.fromEntries(
      DOMAIN_NAMES.map((domain) => [domain, halve(Array.from({ length: 40 }, (_, index) => `${domain} ${index}`))]),
    ) as Record<Domain, ReturnType<typeof halve>>;
    const counts = { heldOut: 3, publicOfEachDomain: 2, private: 4 };
    const { validation, ...rest } = drawSamples(texts, 1, { ...counts, validation: 5 });
    const all = [
      ...Object.values(rest.heldOut),
      ...Object.values(rest.private),
      ...Object.values(validation),
      rest.public,
    ];
    expect(new Set(all.flat()).size).toBe(4 * (3 + 2 + 4 + 5));
    const { validation: none, ...without } = drawSamples(texts, 1, counts);
    expect(rest).toEqual(without);
    expect(Object.values(none).flat()).toEqual([]);
  });
});

describe("questions", () => {
  const question = (index: number): Question => ({
    text: `What is ${index}?`,
    choices: [`number ${index}`, "nothing"],
    answer: 0,
  });
  const pools = Object.fromEntries(
    TASKS.map((task, place) => [
      task,
      partQuestions(Array.from({ length: 1200 }, (_, index) => question(10_000 * place + index))),
    ]),
  ) as Record<(typeof TASKS)[number], ReturnType<typeof partQuestions>>;

  it("are read from rows in the form of an instruction, and other rows are left out", () => {
    const instruction =
      "Please choose the correct answer to the question: Why: this?\n\nIt is so.\n\nAnswer1: a b Answer2: c Answer3: d.\n\nAnswer format: answer1/answer2/answer3";
    expect(readArc({ instruction, answer: "answer2" })).toEqual({
      text: "Why: this?\n\nIt is so.",
      choices: ["a b", "c", "d."],
      answer: 1,
    });
    expect(readArc({ instruction, answer: "answer4" })).toBeNull();
    expect(readArc({ instruction: "What?", answer: "answer1" })).toBeNull();
  });

  it("are parted into pools that share none, and too few are told", () => {
    const { federation, heldOut, pretraining } = pools["arc-easy"];
    expect([federation.length, heldOut.length, pretraining.length]).toEqual([500, 500, 200]);
    expect(new Set([...federation, ...heldOut, ...pretraining].map(({ text }) => text)).size).toBe(1200);
    expect(() => partQuestions([question(1)])).toThrow("expected more than 1000 questions, got 1");
  });

  it("are a fifth public, the rest dealt out to the clients, of both tasks alike", () => {
    const counts = { training: 100, heldOut: 30, clients: 3 };
    const draw = drawQuestions(pools, 1, counts);
    expect(draw.public).toHaveLength(40);
    expect(draw.private.map(({ length }) => length)).toEqual([54, 54, 52]);
    const all = [draw.public, ...draw.private, ...Object.values(draw.heldOut)].flat().map(({ text }) => text);
    expect(all).toHaveLength(200 + 60);
    expect(new Set(all).size).toBe(all.length);
    const held = new Set(pools["arc-easy"].heldOut.map(({ text }) => text));
    for (const { text } of draw.heldOut["arc-easy"]) expect(held).toContain(text);
    expect(drawQuestions(pools, 1, counts)).toEqual(draw);
    expect(drawQuestions(pools, 2, counts)).not.toEqual(draw);
    expect(() => drawQuestions(pools, 1, { ...counts, training: 501 })).toThrow(
      "commonsenseqa: expected 501 and 30 questions, got 500 and 500",
    );
  });

  it("are asked in one form, whether they are learned, scored or read", () => {
    expect(asCompletion(question(1))).toEqual({ prompt: "Question: What is 1?\nAnswer:", completion: " number 1" });
    expect(asChoices(question(1))).toEqual({
      prompt: "Question: What is 1?\nAnswer:",
      choices: ["number 1", "nothing"],
      answer: 0,
    });
    expect(asText(question(1))).toBe("Question: What is 1?\nAnswer: number 1");
  });
});
