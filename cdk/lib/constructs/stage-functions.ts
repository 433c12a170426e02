import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import type { LambdaStageName } from "@fedmkt/shared/contracts/stages.ts";
import { Duration } from "aws-cdk-lib";
import type { Code } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { HouseFunction } from "./house-function.ts";
import { KEYS } from "./key-patterns.ts";
import type { PrivateBucket } from "./private-bucket.ts";
import { ALIGN_TIMEOUT } from "./shard-queue.ts";

/** 1,769 MB is one whole vCPU. */
const ONE_CPU_MEGABYTES = 1769;

interface Needs {
  timeout?: Duration;
  memoryMegabytes?: number;
  readsControl?: string[];
  readsArtefacts?: string[];
  writesControl?: string[];
  writesArtefacts?: string[];
}

/** What each stage needs, and nothing else. A stage that is missing here does not compile. */
const NEEDS: Record<LambdaStageName, Needs> = {
  "plan-run": {
    timeout: Duration.minutes(15),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    readsControl: [KEYS.runs, KEYS.material],
    writesControl: [KEYS.claim, KEYS.plan, KEYS.publicSet, KEYS.evaluationSets],
  },
  "map-vocabulary": {
    timeout: Duration.minutes(15),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan, KEYS.material],
    readsArtefacts: [KEYS.maps],
    writesArtefacts: [KEYS.maps],
  },
  "align-shard": {
    timeout: ALIGN_TIMEOUT,
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan, KEYS.publicSet, KEYS.material],
    readsArtefacts: [KEYS.runs, KEYS.maps],
    writesArtefacts: [KEYS.aligned],
  },
  "select-knowledge": {
    timeout: Duration.minutes(5),
    memoryMegabytes: ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan],
    readsArtefacts: [KEYS.runs],
    writesArtefacts: [KEYS.selections],
  },
  "average-adapters": {
    timeout: Duration.minutes(5),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan],
    readsArtefacts: [KEYS.runs],
    writesArtefacts: [KEYS.averaged],
  },
  "close-round": {
    timeout: Duration.minutes(5),
    memoryMegabytes: ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan],
    readsArtefacts: [KEYS.runs],
    writesArtefacts: [KEYS.roundSummaries],
  },
  "publish-run": {
    timeout: Duration.minutes(15),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan],
    readsArtefacts: [KEYS.runs],
    writesControl: [KEYS.status],
    writesArtefacts: [KEYS.published],
  },
  "fail-run": { readsControl: [KEYS.plan, KEYS.status], writesControl: [KEYS.status] },
};

export interface StageFunctionsProps {
  code: Code;
  environment: Environment;
  control: PrivateBucket;
  artefacts: PrivateBucket;
}

/** One function a Lambda stage, each with the keys it needs and no other. */
export class StageFunctions extends Construct {
  private readonly functions: Record<LambdaStageName, HouseFunction>;

  constructor(scope: Construct, id: string, props: StageFunctionsProps) {
    super(scope, id);
    const built = Object.entries(NEEDS).map(([name, needs]) => {
      const stage = new HouseFunction(this, constructId(name), {
        name,
        code: props.code,
        environment: props.environment,
        timeout: needs.timeout,
        memoryMegabytes: needs.memoryMegabytes,
      });
      if (needs.readsControl) props.control.grantReadOf(stage, ...needs.readsControl);
      if (needs.readsArtefacts) props.artefacts.grantReadOf(stage, ...needs.readsArtefacts);
      if (needs.writesControl) props.control.grantWriteOf(stage, ...needs.writesControl);
      if (needs.writesArtefacts) props.artefacts.grantWriteOf(stage, ...needs.writesArtefacts);
      return [name, stage];
    });
    this.functions = Object.fromEntries(built);
  }

  of(stage: LambdaStageName): HouseFunction {
    return this.functions[stage];
  }
}

/** `plan-run` → `PlanRun`. */
function constructId(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());
}
