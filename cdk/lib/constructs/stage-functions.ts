import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import type { LambdaStageName } from "@fedmkt/shared/contracts/stages.ts";
import { Duration } from "aws-cdk-lib";
import type { Code } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { HouseFunction } from "./house-function.ts";
import type { PrivateBucket } from "./private-bucket.ts";
import { ALIGN_TIMEOUT } from "./shard-queue.ts";

/** 1,769 MB is one whole vCPU. */
const ONE_CPU_MEGABYTES = 1769;

interface Needs {
  timeout?: Duration;
  memoryMegabytes?: number;
  readsControl?: string[];
  readsArtefacts?: true;
  writesControl?: string[];
  writesArtefacts?: string[];
}

/** Models' tokenizers and data that a deployment keeps beside its runs. */
const MATERIAL = "material/";

/** What each stage needs, and nothing else. A stage that is missing here does not compile. */
const NEEDS: Record<LambdaStageName, Needs> = {
  "plan-run": {
    readsControl: ["runs/", MATERIAL],
    timeout: Duration.minutes(15),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    writesControl: ["runs/"],
  },
  "map-vocabulary": {
    readsControl: ["runs/", MATERIAL],
    readsArtefacts: true,
    timeout: Duration.minutes(15),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    writesArtefacts: ["runs/*/maps/"],
  },
  "align-shard": {
    readsControl: ["runs/"],
    readsArtefacts: true,
    timeout: ALIGN_TIMEOUT,
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    writesArtefacts: ["runs/*/round-*/aligned/"],
  },
  "select-knowledge": {
    readsControl: ["runs/"],
    readsArtefacts: true,
    timeout: Duration.minutes(5),
    memoryMegabytes: ONE_CPU_MEGABYTES,
    writesArtefacts: ["runs/*/round-*/selection/"],
  },
  "average-adapters": {
    readsControl: ["runs/"],
    readsArtefacts: true,
    timeout: Duration.minutes(5),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    writesArtefacts: ["runs/*/round-*/averaged/"],
  },
  "close-round": {
    readsControl: ["runs/"],
    readsArtefacts: true,
    timeout: Duration.minutes(5),
    memoryMegabytes: ONE_CPU_MEGABYTES,
    writesArtefacts: ["runs/*/round-*/summary.json"],
  },
  "publish-run": {
    readsControl: ["runs/"],
    readsArtefacts: true,
    timeout: Duration.minutes(15),
    memoryMegabytes: 2 * ONE_CPU_MEGABYTES,
    writesControl: ["runs/*/status.json"],
    writesArtefacts: ["runs/*/published/"],
  },
  "fail-run": { writesControl: ["runs/*/status.json"] },
};

export interface StageFunctionsProps {
  code: Code;
  environment: Environment;
  control: PrivateBucket;
  artefacts: PrivateBucket;
}

/** One function a Lambda stage, each with the prefixes it needs and no other. */
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
      if (needs.readsControl) props.control.grantReadBelow(stage, ...needs.readsControl);
      if (needs.readsArtefacts) props.artefacts.grantReadBelow(stage, "runs/");
      if (needs.writesControl) props.control.grantWriteBelow(stage, ...needs.writesControl);
      if (needs.writesArtefacts) props.artefacts.grantWriteBelow(stage, ...needs.writesArtefacts);
      return [name, stage];
    });
    this.functions = Object.fromEntries(built);
  }

  of(stage: LambdaStageName): HouseFunction {
    return this.functions[stage];
  }
}

/** `plan-run` → `PlanRun`. */
export function constructId(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());
}
