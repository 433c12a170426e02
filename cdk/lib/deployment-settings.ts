import { deploymentNames, ENVIRONMENTS, type EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import { RetentionDays } from "aws-cdk-lib/aws-logs";

/** What one environment's stacks are built by. Account and region stay open: templates name them by reference. */
export interface DeploymentSettings {
  environment: EnvironmentName;
  names: ReturnType<typeof deploymentNames>;
  /** whether artefacts, registered adapters, specs and keys outlive their stack */
  retain: boolean;
  /** how long a deleted key can still be had back, in days */
  keyDeletionDays: number;
  logRetention: RetentionDays;
  /** what tasks of the coordinator's cluster compute on: GPU instances, or Fargate's CPUs */
  workers: "gpu" | "cpu";
  gpu: {
    /** the best first, which is also what all are priced as */
    instanceTypes: readonly string[];
    /**
     * of spot and of on-demand machines each; one job has one machine, and a job that gets none uses up its tries by waiting: not
     * fewer than the jobs that a run starts side by side
     */
    maxInstances: number;
  };
  /** whether jobs are tried on spot machines first */
  spot: boolean;
  /** above this the account's owner is told */
  budgetDollarsPerMonth: number;
  /** a run that has cost more is alarmed; what ends one is the budget in its spec */
  runDollars: number;
  /** and above this of any one run, whatever its spec allows it */
  alarmDollarsPerRun: number;
  /** who is told; nobody by mail where absent */
  alarmEmail?: string;
}

type Chosen = Omit<DeploymentSettings, "environment" | "names" | "alarmEmail">;

const SETTINGS: Record<EnvironmentName, Chosen> = {
  dev: {
    retain: false,
    keyDeletionDays: 7,
    logRetention: RetentionDays.TWO_WEEKS,
    workers: "gpu",
    gpu: { instanceTypes: ["g6.xlarge", "g4dn.xlarge"], maxInstances: 11 },
    spot: true,
    budgetDollarsPerMonth: 100,
    alarmDollarsPerRun: 25,
    runDollars: 25,
  },
  prod: {
    retain: true,
    keyDeletionDays: 30,
    logRetention: RetentionDays.THREE_MONTHS,
    workers: "gpu",
    gpu: { instanceTypes: ["g6.xlarge", "g4dn.xlarge"], maxInstances: 11 },
    spot: true,
    budgetDollarsPerMonth: 2000,
    alarmDollarsPerRun: 500,
    runDollars: 250,
  },
};

export interface SettingsChoice {
  environment?: string;
  workers?: string;
  alarmEmail?: string;
}

/** The settings of an environment, `dev` unless said. @throws Error naming what was expected */
export function deploymentSettings(choice: SettingsChoice = {}): DeploymentSettings {
  const environment = oneOf("environment", ENVIRONMENTS, choice.environment ?? "dev");
  const chosen = SETTINGS[environment];
  return {
    ...chosen,
    environment,
    names: deploymentNames(environment),
    workers: oneOf("workers", ["gpu", "cpu"] as const, choice.workers ?? chosen.workers),
    alarmEmail: choice.alarmEmail,
  };
}

function oneOf<T extends string>(what: string, known: readonly T[], given: string): T {
  const found = known.find((name) => name === given);
  if (found === undefined) throw new Error(`${what}: expected ${known.join(" or ")}, got "${given}"`);
  return found;
}
