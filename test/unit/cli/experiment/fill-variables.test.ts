// biome-ignore-all lint/suspicious/noTemplateCurlyInString: an experiment's own placeholders
import { describe, expect, it } from "@jest/globals";
import { fillVariables } from "../../../../cli/src/experiment/fill-variables.ts";

describe("variables of an experiment's cells", () => {
  it("become their value where a text is one of them, and text within a text", () => {
    const { value, issues } = fillVariables({
      variables: { TASK: "rte", PART: 498, RATE: 2e-5, ON: true },
      public: [{ path: "data/${TASK}/public-${PART}.jsonl", samples: "${PART}" }],
      server: { training: { learningRate: "${RATE}" } },
      simulation: "${ON}",
    });
    expect(issues).toEqual([]);
    expect(value).toEqual({
      public: [{ path: "data/rte/public-498.jsonl", samples: 498 }],
      server: { training: { learningRate: 2e-5 } },
      simulation: true,
    });
  });

  it("leave other names to the environment, and a spec without any as it is", () => {
    const spec = { public: ["${FOLDER}/${SEED}/a.jsonl"] };
    expect(fillVariables(spec).value).toBe(spec);
    expect(fillVariables({ ...spec, variables: { TASK: "rte" } }).value).toEqual(spec);
  });

  it("are refused where they are no names with values, or take the seed's name", () => {
    const messagesOf = (variables: unknown) =>
      fillVariables({ variables }).issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    expect(messagesOf(["a"])).toEqual(["variables: expected names with their values"]);
    expect(messagesOf({ task: "rte", SEED: 3, LIST: [1] })).toEqual([
      "variables.task: expected a name of capitals, digits and _, such as TASK",
      "variables.SEED: SEED stands for the run's seed; expected another name",
      "variables.LIST: expected a text, a number, or true or false",
    ]);
  });
});
