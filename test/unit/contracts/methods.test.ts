import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { METHODS } from "../../../shared/src/contracts/methods.ts";
import { examineRunSpec, readRunSpec } from "../../../shared/src/contracts/read-run-spec.ts";
import { runSpec } from "../../../shared/src/contracts/run-spec.ts";

const SPEC = `name: toy
rounds: 2
sampleBytes: 200
server: { model: models/server, training: { learningRate: 0.001 } }
clients: [{ id: harbour, model: models/harbour, private: a.jsonl, training: { learningRate: 0.002 } }]
public: [public.jsonl]
`;
const read = (more: string) => readRunSpec(SPEC + more, "run.yaml").distillation;
const mistakesIn = (more: string) =>
  examineRunSpec(SPEC + more).mistakes.map(({ path, message }) => `${path}: ${message}`);

describe("A method", () => {
  it.each(["product", "paper", "fate"] as const)("sets the whole row: %s", (method) => {
    expect(read(`method: ${method}\n`)).toEqual(expect.objectContaining(METHODS[method]));
  });

  it("is the product's own unless one is named", () => {
    expect(read("")).toEqual(expect.objectContaining(METHODS.product));
  });

  it("has a λ of its own, the paper's for what others published, which gives way too", () => {
    expect([read(""), read("method: paper\n"), read("method: fate\n")].map(({ lambda }) => lambda)).toEqual([
      0.7, 0.9, 0.9,
    ]);
    expect(read("method: paper\ndistillation: { lambda: 0 }\n").lambda).toBe(0);
  });

  it("gives way to a single choice", () => {
    expect(read("method: fate\ndistillation: { alignment: greedy-dp, positions: answer }\n")).toEqual(
      expect.objectContaining({ ...METHODS.fate, alignment: "greedy-dp", positions: "answer" }),
    );
  });

  it("stays what it is when a spec that was read is read again", () => {
    const spec = readRunSpec(`${SPEC}method: paper\ndistillation: { selection: greater }\n`, "run.yaml");
    expect(runSpec.parse(spec)).toEqual(spec);
  });

  it("has the table of docs/run-yaml.md", () => {
    const text = readFileSync(new URL("../../../docs/run-yaml.md", import.meta.url), "utf8");
    for (const choice of Object.keys(METHODS.product) as (keyof typeof METHODS.product)[]) {
      const row = `| \`${choice}\` | ${METHODS.product[choice]} | ${METHODS.paper[choice]} | ${METHODS.fate[choice]} |`;
      expect(text).toContain(row);
    }
  });
});

describe("Choices that exclude each other", () => {
  it("are told at the one that was given, with the reason", () => {
    expect(mistakesIn("distillation: { transfer: fate }\n")).toEqual([
      expect.stringMatching(/^distillation\.transfer: transfer: fate gives mass to single tokens .* take learn: token/),
    ]);
    expect(mistakesIn("method: paper\ndistillation: { learn: group }\n")).toEqual([
      expect.stringMatching(/^distillation\.learn: transfer: paper gives mass to single tokens/),
    ]);
    for (const selection of ["weighted-mean", "confidence"])
      expect(mistakesIn(`distillation: { selection: ${selection} }\n`)).toEqual([
        expect.stringMatching(
          new RegExp(`^distillation\\.selection: selection: ${selection} mixes .* groups of its own`),
        ),
      ]);
  });

  it("are told all at once, beside what else is wrong", () => {
    const found = mistakesIn(
      "method: fate\ndistillation: { learn: group, selection: weighted-mean, topP: 0, lossMetric: per-word }\n",
    );
    expect(found).toHaveLength(4);
    expect(found.join("\n")).toMatch(
      /transfer: fate gives[\s\S]*weighted-mean mixes|weighted-mean mixes[\s\S]*transfer: fate gives/,
    );
    expect(found.join("\n")).toContain("distillation.topP: expected more than 0, got 0");
    expect(found.join("\n")).toContain('distillation.lossMetric: expected one of "per-byte", "per-token", "diluted"');
  });

  it.each(["greater", "weighted-mean"])("are FATE-LLM's rules and bounds of the gap: %s", (selection) => {
    const given = `learn: token, selection: ${selection}`;
    expect(mistakesIn(`distillation: { ${given}, minGap: 0.1, maxGap: 1 }\n`)).toEqual([
      expect.stringMatching(new RegExp(`^distillation\\.minGap: selection: ${selection} .* leave out minGap`)),
      expect.stringMatching(new RegExp(`^distillation\\.maxGap: selection: ${selection} .* leave out maxGap`)),
    ]);
    // the default, written out, bounds nothing
    expect(mistakesIn(`distillation: { ${given}, minGap: 0 }\n`)).toEqual([]);
  });

  it("are bounds that leave no room between them", () => {
    expect(mistakesIn("distillation: { minGap: 0.5, maxGap: 0.5 }\n")).toEqual([
      "distillation.maxGap: expected more than minGap (0.5), got 0.5",
    ]);
    for (const selection of ["strict", "token", "confidence"])
      expect(read(`distillation: { learn: token, selection: ${selection}, minGap: 0.5, maxGap: 0.6 }\n`)).toMatchObject(
        {
          minGap: 0.5,
          maxGap: 0.6,
        },
      );
    expect(read("distillation: { maxGap: 0.5 }\n")).toMatchObject({ minGap: 0, maxGap: 0.5 });
  });

  it("are not looked for where the method itself is unknown", () => {
    expect(mistakesIn("method: mine\ndistillation: { learn: group, transfer: fate }\n")).toEqual([
      'method: expected one of "product", "paper", "fate", got "mine"',
    ]);
  });

  it("do not stand in the way of groups with FATE-LLM's selection", () => {
    expect(read("distillation: { selection: greater }\n")).toMatchObject({ learn: "group", selection: "greater" });
  });
});
