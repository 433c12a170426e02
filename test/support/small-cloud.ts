import { readFileSync } from "node:fs";
import path from "node:path";
import { afterEach } from "@jest/globals";
import type { Client } from "../../cli/src/local/clients.ts";
import { type EmbeddedAws, startEmbeddedAws } from "../../cli/src/local/embedded-aws.ts";
import type { LocalEvent } from "../../cli/src/local/local-event.ts";
import { CALL_STATES, type SmallAssembly, writeSmallAssembly } from "./small-assembly.ts";

/** The beginning of an integration's resource. */
export const TASKS = "arn:aws:states:::";

export interface SmallCloud {
  /** starts an embedded cloud of these parts; stopped after the test */
  start(parts: SmallAssembly, concurrentTasks?: number, clients?: readonly Client[]): Promise<EmbeddedAws>;
  /** has a cloud stopped after the test that the test started itself */
  adopt(cloud: EmbeddedAws): EmbeddedAws;
  /** what the cloud that was started has told */
  events(): readonly LocalEvent[];
  /** lines that its workers have written to the file `notes` beside them */
  notes(): string[];
  /** the assembly that was started */
  assembly(): string;
}

/** To be called once in a test file: its tests start clouds, and none outlives its test. */
export function useSmallCloud(): SmallCloud {
  let cloud: EmbeddedAws | undefined;
  let events: LocalEvent[] = [];
  let folderOf: ReturnType<typeof writeSmallAssembly> | undefined;
  const adopt = (started: EmbeddedAws) => {
    cloud = started;
    return started;
  };
  afterEach(async () => {
    await cloud?.stop();
    cloud = undefined;
  });
  return {
    adopt,
    events: () => events,
    notes: () => readFileSync(path.join(folderOf!.folder, "notes"), "utf8").trim().split("\n"),
    assembly: () => folderOf!.assembly,
    async start(parts, concurrentTasks = 2, clients = []) {
      folderOf = writeSmallAssembly(parts);
      const { folder, assembly, worker, queueWorker } = folderOf;
      const told: LocalEvent[] = [];
      events = told;
      const onEvent = (event: LocalEvent) => told.push(event);
      const programs = { workerEntry: worker, queueWorkerEntry: queueWorker };
      return adopt(await startEmbeddedAws({ assembly, folder, clients, concurrentTasks, ...programs, onEvent }));
    },
  };
}

export const arnOf = (aws: EmbeddedAws, id: string) =>
  aws.resources.find((resource) => resource.id === `Pipeline/${id}`)!.arn;

/** Runs one of a cloud's machines to its end. */
export async function runMachine(aws: EmbeddedAws, input: object = {}, machine = "Machine") {
  const { executionArn } = aws.executions.start(arnOf(aws, machine), input).description;
  const { status, error, cause, output } = await aws.executions.find(executionArn).ended;
  return {
    status,
    error,
    cause,
    output: output === undefined ? undefined : (JSON.parse(output) as Record<string, unknown>),
  };
}

/** A machine of one Task state. */
export const one = (state: object) => ({ StartAt: "Only", States: { Only: { Type: "Task", End: true, ...state } } });

/** A Task state that waits for a worker's answer. */
export const workerTask = (more: object = {}) => ({
  Resource: `${TASKS}ecs:runTask.waitForTaskToken`,
  Parameters: {
    TaskDefinition: "workers",
    Overrides: {
      ContainerOverrides: [
        {
          Name: "worker",
          Environment: [
            { Name: "TOKEN", "Value.$": "$$.Task.Token" },
            { Name: "JOB", "Value.$": "States.JsonToString($)" },
          ],
        },
      ],
    },
  },
  ...more,
});

/** How the source of such a worker begins: `taskToken`, `job`, and `states` to call Step Functions with. */
export const WORKER = `${CALL_STATES}
const { TOKEN: taskToken, JOB } = process.env;
const job = JSON.parse(JOB);`;
