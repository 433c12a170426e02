import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { openTemplate } from "@fedmkt/shared/adapters/templates/open-template.ts";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import { dataLocations, partySpec, type RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { encodeSample } from "@fedmkt/shared/core/alignment/encode-sample.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Sample } from "@fedmkt/shared/core/samples/sample.ts";
import { parseArchitecture } from "@fedmkt/shared/engine/architectures/parse-architecture.ts";
import { openCheckpoint } from "@fedmkt/shared/engine/checkpoint.ts";
import { adaptedLinears } from "@fedmkt/shared/engine/lora-bank.ts";
import { checkHeldOutSet } from "@fedmkt/shared/use-cases/check-samples.ts";
import type { PlanDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { forParty } from "@fedmkt/shared/use-cases/for-party.ts";
import { type PlannedParty, planParty } from "@fedmkt/shared/use-cases/plan-parties.ts";
import { planRun } from "@fedmkt/shared/use-cases/plan-run.ts";
import {
  readHeldOutSet,
  readPromptSet,
  readQuestionSet,
  readSampleSet,
} from "@fedmkt/shared/use-cases/prepare-samples.ts";
import { readValidationSet } from "@fedmkt/shared/use-cases/validation-set.ts";
import { count } from "../count.ts";
import { isAtHand, type LocationKind, type LocationMistake } from "../spec-locations.ts";
import { MemoryObjectStore } from "./memory-object-store.ts";

/** What came of looking into a spec's files. */
export interface MaterialCheck {
  mistakes: LocationMistake[];
  /** what was opened and read, such as `public set 1: 180 samples` */
  checked: string[];
  /** what lies where this machine does not look */
  unchecked: string[];
}

/**
 * Opens everything that a spec names as the run will: models, tokenizers, data sets, and every text in its party's tokens; then
 * plans the run, in memory. Mistakes of parts that do not hang together are told together. Writes nothing.
 */
export async function checkMaterial(spec: RunSpec, yaml: Uint8Array): Promise<MaterialCheck> {
  const deps: PlanDependencies = {
    objects: new MemoryObjectStore(),
    buckets: { control: "control", artefacts: "artefacts", registry: "registry" },
    material: new FileMaterial(),
    openTokenizer,
    openTemplate,
    progress: () => {},
    executions: { standing: async () => "ended" },
    readsLocalFiles: true,
  };
  const result: MaterialCheck = { mistakes: [], checked: [], unchecked: [] };
  const look = async (
    path: LocationMistake["path"],
    what: string,
    locations: string[],
    work: () => Promise<string>,
    kind: LocationKind = "file",
  ) => {
    const absent = locations.find((location) => !isAtHand(location, kind));
    if (absent !== undefined) {
      result.unchecked.push(`${what}: ${absent}`);
      return;
    }
    await tell(path, what, work);
  };
  const tell = async (path: LocationMistake["path"], what: string, work: () => Promise<string>) => {
    try {
      result.checked.push(`${what}: ${await work()}`);
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      result.mistakes.push({ path, message: error.message });
    }
  };

  const parties = new Map<string, PlannedParty>();
  for (const [index, id] of ["server", ...spec.clients.map((client) => client.id)].entries()) {
    const { model } = partySpec(spec, id);
    const path = index === 0 ? ["server", "model"] : ["clients", index - 1, "model"];
    const config = join(model, "config.json");
    if (!isAtHand(model, "model") && isAtHand(config, "file"))
      await tell(path, `${id}'s model`, () => describeConfig(spec, id, config));
    await look(
      path,
      `${id}'s model`,
      [model],
      async () => {
        const party = await planParty(deps, spec, id);
        parties.set(id, party);
        const { parameters } = await forParty(id, async () => openCheckpoint(model));
        return `${parameters} parameters, ${party.vocabularySize} tokens, context ${party.contextTokens}`;
      },
      "model",
    );
  }
  const trainedOn = new Map<string, Sample[]>();
  const publicSet: Sample[] = [];
  for (const [index, { id, private: data }] of spec.clients.entries())
    await look(["clients", index, "private"], `${id}'s private set`, dataLocations(data), async () => {
      const samples = await readSampleSet(deps, data, spec.sampleBytes, `client ${id}: private`);
      for (const sample of samples) encode(sample, parties.get(id));
      trainedOn.set(id, samples);
      return count(samples.length, "sample");
    });
  for (const [index, data] of spec.public.entries())
    await look(["public", index], `public set ${index + 1}`, dataLocations(data), async () => {
      const samples = await readSampleSet(deps, data, spec.sampleBytes, `public[${index}]`);
      publicSet.push(...samples);
      return count(samples.length, "sample");
    });
  for (const [index, id] of ["server", ...spec.clients.map((client) => client.id)].entries()) {
    const data = partySpec(spec, id).validation;
    if (data === undefined) continue;
    const path = [...(index === 0 ? ["server"] : ["clients", index - 1]), "validation"];
    await look(path, `${id}'s validation set`, dataLocations(data), async () => {
      const sets = { private: trainedOn.get(id) ?? [], public: publicSet };
      const validation = await readValidationSet(deps, { spec }, id, sets);
      checkHeldOutSet(
        "validation",
        [...parties.values()].filter((party) => party.id === id),
        validation!.samples,
      );
      return count(validation!.samples.length, "sample");
    });
  }
  for (const [index, { name, owner, task, data }] of spec.evaluation.entries())
    await look(["evaluation", index, "data"], `held-out set ${name}`, dataLocations(data), async () => {
      const what = `evaluation ${name}`;
      if (task === "multiple-choice")
        return count((await readQuestionSet(deps, data, spec.sampleBytes, what)).length, "question");
      const read = task === "generation" ? readPromptSet : readHeldOutSet;
      const samples = await read(deps, data, spec.sampleBytes, what);
      const scored = [...parties.values()].filter(({ id }) => owner === undefined || spec.simulation || id === owner);
      checkHeldOutSet(what, scored, samples);
      return count(samples.length, "sample");
    });

  // what concerns the parties together makes sense only once each part is right
  if (result.mistakes.length === 0 && result.unchecked.length === 0) {
    const key = controlKeys.spec(spec.name);
    await deps.objects.put(deps.buckets.control, key, yaml);
    await look([], "the plan", [], async () => {
      const planned = await planRun(deps)({ bucket: deps.buckets.control, key, execution: "validation" });
      const { first, maps, baselines, variants } = planned.machine!;
      const transfers = first.members.toServer.length + first.members.toClients.length;
      const compared = variants.length === 0 ? "" : `, ${count(variants.length, "variant")} (${variants.join(", ")})`;
      return `${count(transfers, "shard")} to align a round, ${count(maps.length, "vocabulary map")}, ${count(baselines.length, "baseline job")}${compared}`;
    });
  }
  return result;
}

/** Of a model that is not here but for its configuration: whether the engine has it, and the layers that LoRA is to adapt. */
async function describeConfig(spec: RunSpec, id: string, config: string): Promise<string> {
  const architecture = parseArchitecture(await readFile(config), `${id}: ${config}`);
  const { modelType, contextTokens, vocabularySize } = architecture;
  const adapted = adaptedLinears(architecture, partySpec(spec, id).lora).length;
  return `its config.json alone: ${modelType}, ${vocabularySize} tokens, context ${contextTokens}, LoRA on ${count(adapted, "layer")}`;
}

/** Whose model is not there to ask, is told of that already. */
function encode(sample: Sample, party: PlannedParty | undefined) {
  return party && encodeSample(sample, party.tokenizer, party.contextTokens, party.id);
}
