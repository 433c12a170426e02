import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import type { LambdaStageName } from "@fedmkt/shared/contracts/stages.ts";
import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Code } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import type { StateStack } from "../state-stack.ts";
import { explainWildcards } from "./explain-finding.ts";
import { HouseFunction } from "./house-function.ts";
import { KEYS } from "./key-patterns.ts";
import { ALIGN_TIMEOUT } from "./shard-queue.ts";

/** 1,769 MB is one whole vCPU. */
const ONE_CPU_MEGABYTES = 1769;
/** Two CPUs, one of them not quite whole: a new account is refused functions of more until AWS has come to trust it. */
const MOST_MEGABYTES = 3008;

interface Needs {
  timeout?: Duration;
  memoryMegabytes?: number;
  /** models and data, wherever a spec may name them: those of single parties and those of all */
  readsMaterial?: true;
  readsControl?: string[];
  readsArtefacts?: string[];
  readsRegistry?: string[];
  writesControl?: string[];
  writesArtefacts?: string[];
  writesRegistry?: string[];
}

/** What each stage needs, and nothing else. A stage that is missing here does not compile. */
const NEEDS: Record<LambdaStageName, Needs> = {
  "plan-run": {
    timeout: Duration.minutes(15),
    memoryMegabytes: MOST_MEGABYTES,
    readsMaterial: true,
    readsControl: [KEYS.spec, KEYS.claims, KEYS.plan],
    writesControl: [KEYS.claims, KEYS.plan, KEYS.publicSet, KEYS.evaluationSets, KEYS.status],
  },
  "map-vocabulary": {
    timeout: Duration.minutes(15),
    memoryMegabytes: MOST_MEGABYTES,
    readsMaterial: true,
    readsControl: [KEYS.plan],
    readsArtefacts: [KEYS.maps],
    writesArtefacts: [KEYS.maps],
  },
  "align-shard": {
    timeout: ALIGN_TIMEOUT,
    memoryMegabytes: MOST_MEGABYTES,
    readsMaterial: true,
    readsControl: [KEYS.plan, KEYS.publicSet],
    readsArtefacts: [KEYS.jobs, KEYS.aligned, KEYS.maps],
    writesArtefacts: [KEYS.aligned],
  },
  "select-knowledge": {
    timeout: Duration.minutes(5),
    memoryMegabytes: ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan],
    readsArtefacts: [KEYS.aligned],
    writesArtefacts: [KEYS.selections],
  },
  "average-adapters": {
    timeout: Duration.minutes(5),
    memoryMegabytes: MOST_MEGABYTES,
    readsControl: [KEYS.plan],
    readsArtefacts: [KEYS.jobs, KEYS.averaged],
    writesArtefacts: [KEYS.averaged],
  },
  "close-round": {
    timeout: Duration.minutes(5),
    memoryMegabytes: ONE_CPU_MEGABYTES,
    readsControl: [KEYS.plan, KEYS.stop],
    readsArtefacts: [KEYS.jobs, KEYS.selections, KEYS.roundSummaries, KEYS.usage],
    writesArtefacts: [KEYS.roundSummaries],
  },
  "publish-run": {
    timeout: Duration.minutes(15),
    memoryMegabytes: MOST_MEGABYTES,
    readsControl: [KEYS.plan, KEYS.claims],
    readsArtefacts: [KEYS.jobs, KEYS.averaged, KEYS.roundSummaries],
    readsRegistry: [KEYS.registry],
    writesControl: [KEYS.status],
    writesArtefacts: [KEYS.published],
    writesRegistry: [KEYS.registry],
  },
  "fail-run": { readsControl: [KEYS.claims, KEYS.status], writesControl: [KEYS.status] },
};

export interface StageFunctionsProps {
  code: Code;
  environment: Environment;
  settings: DeploymentSettings;
  state: StateStack;
}

/** One function a Lambda stage, each with the keys it needs and no other. */
export class StageFunctions extends Construct {
  readonly all: Readonly<Record<LambdaStageName, HouseFunction>>;

  constructor(scope: Construct, id: string, props: StageFunctionsProps) {
    super(scope, id);
    const built = Object.entries(NEEDS).map(([name, needs]) => {
      const stage = new HouseFunction(this, constructId(name), {
        name,
        code: props.code,
        environment: props.environment,
        settings: props.settings,
        timeout: needs.timeout,
        memoryMegabytes: needs.memoryMegabytes,
      });
      const { control, artefacts, registry } = props.state;
      if (needs.readsMaterial) {
        control.grantReadOf(stage, KEYS.material);
        props.state.public.grantReadOf(stage, KEYS.everything);
      }
      if (needs.readsControl) control.grantReadOf(stage, ...needs.readsControl);
      if (needs.readsArtefacts) artefacts.grantReadOf(stage, ...needs.readsArtefacts);
      if (needs.readsRegistry) registry.grantReadOf(stage, ...needs.readsRegistry);
      if (needs.writesControl) control.grantWriteOf(stage, ...needs.writesControl);
      if (needs.writesArtefacts) artefacts.grantWriteOf(stage, ...needs.writesArtefacts);
      if (needs.writesRegistry) registry.grantWriteOf(stage, ...needs.writesRegistry);
      return [name, stage];
    });
    this.all = Object.fromEntries(built);
    // whether the execution that holds a run still goes on
    this.all["plan-run"].addToRolePolicy(
      new PolicyStatement({
        actions: ["states:DescribeExecution"],
        resources: [
          Stack.of(this).formatArn({
            service: "states",
            resource: "execution",
            resourceName: `${props.settings.names.runMachine}:*`,
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ],
      }),
    );
    explainWildcards(this.all["plan-run"].role!, [
      {
        matching: /:execution:[^*:]+:\*$/,
        reason: "An execution is named when it starts; these are the run machine's.",
      },
    ]);
  }

  of(stage: LambdaStageName): HouseFunction {
    return this.all[stage];
  }
}

/** `plan-run` → `PlanRun`. */
function constructId(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());
}
