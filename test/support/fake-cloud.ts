import { readFileSync } from "node:fs";
import type { Cloud, CloudExecution, CloudLogLine, CloudStack, StackChange } from "../../cli/src/cloud/cloud.ts";
import { MemoryObjectStore } from "../../cli/src/validate/memory-object-store.ts";
import { claim } from "../../shared/src/contracts/claim.ts";
import { deploymentNames, type EnvironmentName } from "../../shared/src/contracts/deployment.ts";
import { encodeJson } from "../../shared/src/contracts/json-document.ts";
import { artefactKeys, controlKeys, registryKeys } from "../../shared/src/contracts/keys.ts";
import { registryEntry } from "../../shared/src/contracts/registry-entry.ts";
import { type RunStatus, runStatus } from "../../shared/src/contracts/run-status.ts";
import { sha256 } from "../../shared/src/formats/sha256.ts";
import { SUMMARY } from "./summary.ts";

export const ACCOUNT = "111122223333";
export const REGION = "eu-central-1";

/** A deployment in this process's memory: what commands do to it can be looked at, and what they find there be set. */
export class FakeCloud implements Cloud {
  readonly environment: EnvironmentName;
  readonly account = ACCOUNT;
  readonly region = REGION;
  readonly partition = "aws";
  readonly names: Cloud["names"];
  readonly objects = new FakeObjects();
  readonly executions = new Map<string, CloudExecution>();
  readonly stopped: string[] = [];
  readonly started: { machine: string; name: string; input: unknown }[] = [];
  readonly stackList = new Map<string, CloudStack>();
  readonly changes: StackChange[] = [];
  readonly removed: string[] = [];
  readonly lines: Record<string, CloudLogLine[]> = {};
  readonly counts: Record<string, { waiting: number; taken: number }> = {};
  /** called as soon as an execution is started by hand */
  onStart: (id: string) => Promise<void> = async () => {};

  constructor(environment: EnvironmentName = "dev") {
    this.environment = environment;
    this.names = deploymentNames(environment);
    this.addStack(this.names.stateStack, { AccessLogBucket: "access-log" });
    this.addStack(this.names.pipelineStack);
  }

  bucket = (name: Parameters<Cloud["bucket"]>[0]) => this.names.bucket(name, ACCOUNT, REGION);

  readonly machines: Cloud["machines"] = {
    start: async (machine, name, input) => {
      const id = executionArn(machine, name);
      this.started.push({ machine, name, input });
      this.addExecution(id, { status: "RUNNING", input: JSON.stringify(input) });
      await this.onStart(id);
      return id;
    },
    describe: async (id) => this.executions.get(id) ?? null,
    running: async (machine) =>
      [...this.executions.values()]
        .filter(({ id, status }) => status === "RUNNING" && id.includes(`:${machine}:`))
        .map(({ id }) => id),
    stop: async (id, error, cause) => {
      this.stopped.push(id);
      this.addExecution(id, { ...this.executions.get(id), status: "ABORTED", error, cause });
    },
  };

  readonly stacks: Cloud["stacks"] = {
    describe: async (name) => this.stackList.get(name) ?? null,
    list: async (prefix) => [...this.stackList.values()].filter(({ name }) => name.startsWith(prefix)),
    apply: async (change) => {
      this.changes.push(change);
      const isNew = !this.stackList.has(change.name);
      const { Client, HostPrivateData } = change.parameters;
      this.addStack(change.name, clientOutputs(Client, HostPrivateData === "yes"), change.parameters);
      return isNew ? "created" : "updated";
    },
    remove: async (name) => {
      this.removed.push(name);
      this.stackList.delete(name);
    },
  };

  readonly logs: Cloud["logs"] = {
    read: async (group, word, sinceMs) =>
      (this.lines[group] ?? []).filter(({ atMs, text }) => atMs >= sinceMs && text.includes(word)),
  };

  /** machines in the cluster, one answer after another; then none */
  machineCounts: number[] = [];
  readonly clusters: Cloud["clusters"] = { countMachines: async () => this.machineCounts.shift() ?? 0 };

  readonly queues: Cloud["queues"] = { count: async (name) => this.counts[name] ?? null };

  addStack(name: string, outputs: Record<string, string> = {}, parameters: Record<string, string> = {}): void {
    this.stackList.set(name, { name, status: "CREATE_COMPLETE", outputs, parameters });
  }

  addClient(id: string, { hosts = true, principal = "" }: { hosts?: boolean; principal?: string } = {}): void {
    this.addStack(this.names.clientStack(id), clientOutputs(id, hosts), {
      Client: id,
      WorkerPrincipal: principal,
      ExternalId: principal === "" ? "" : "external-1",
    });
  }

  addExecution(id: string, changes: Partial<CloudExecution>): void {
    this.executions.set(id, { id, status: "RUNNING", startedMs: 1000, stoppedMs: null, input: "{}", ...changes });
  }

  async setStatus(status: RunStatus): Promise<void> {
    const key = controlKeys.status(status.run);
    await this.objects.put(this.bucket("control"), key, encodeJson(runStatus.parse(status)));
  }

  /** A run that was uploaded, taken by an execution, and stands as is said. */
  async addRun(run: string, yaml: Uint8Array, status: RunStatus["status"], failure: object = {}): Promise<string> {
    const control = this.bucket("control");
    const execution = executionArn(this.names.runMachine, `${run}-1`);
    await this.objects.put(control, controlKeys.spec(run), yaml);
    const taken = claim.parse({ run, specHash: sha256(yaml), execution });
    await this.objects.put(control, controlKeys.claim(run, 1), encodeJson(taken));
    await this.setStatus({ run, status, execution, ...failure });
    this.addExecution(execution, {
      status,
      stoppedMs: status === "RUNNING" ? null : 61_000,
      input: JSON.stringify({ detail: { object: { key: controlKeys.spec(run) } } }),
    });
    return execution;
  }

  /** What publish-run leaves, for the toy run. */
  async publish(run: string, yaml: Uint8Array): Promise<void> {
    const artefacts = this.bucket("artefacts");
    const specHash = sha256(yaml);
    const folder = artefactKeys.published(run);
    for (const { party } of SUMMARY.adapters) {
      const files = [];
      for (const name of ["adapter_model.safetensors", "adapter_config.json", "README.md"]) {
        const bytes = new TextEncoder().encode(`${party} ${name}`);
        await this.objects.put(artefacts, `${folder}/adapters/${party}/${name}`, bytes);
        files.push({ name, bytes: bytes.length, sha256: sha256(bytes) });
      }
      const entry = registryEntry.parse({
        version: 1,
        party,
        run,
        rounds: 2,
        specHash,
        base: { name: party, configHash: specHash, tokenizerHash: specHash, weightsFingerprint: specHash },
        adapter: { bucket: artefacts, folder: `${folder}/adapters/${party}`, files },
        scores: [],
      });
      await this.objects.put(this.bucket("registry"), registryKeys.entry(party, run), encodeJson(entry));
    }
    await this.objects.put(artefacts, `${folder}/summary.json`, encodeJson({ ...SUMMARY, run, specHash }));
  }
}

/** Objects in memory, with what operators do to buckets. */
class FakeObjects extends MemoryObjectStore {
  readonly emptied: string[] = [];
  readonly buckets = new Set<string>();
  readonly #removed = new Set<string>();

  async putFile(bucket: string, key: string, file: string): Promise<void> {
    await this.put(bucket, key, readFileSync(file));
  }

  override async put(bucket: string, key: string, body: Uint8Array): Promise<void> {
    this.#removed.delete(`${bucket}/${key}`);
    await super.put(bucket, key, body);
  }

  override async head(bucket: string, key: string) {
    return this.#removed.has(`${bucket}/${key}`) ? null : super.head(bucket, key);
  }

  override async list(bucket: string, prefix: string): Promise<string[]> {
    return (await super.list(bucket, prefix)).filter((key) => !this.#removed.has(`${bucket}/${key}`));
  }

  async remove(bucket: string, key: string): Promise<void> {
    this.#removed.add(`${bucket}/${key}`);
  }

  async hasBucket(bucket: string): Promise<boolean> {
    return this.buckets.has(bucket);
  }

  async empty(bucket: string): Promise<number> {
    this.emptied.push(bucket);
    const keys = await this.list(bucket, "");
    for (const key of keys) await this.remove(bucket, key);
    return keys.length;
  }
}

export function executionArn(machine: string, name: string): string {
  return `arn:aws:states:${REGION}:${ACCOUNT}:execution:${machine}:${name}`;
}

function clientOutputs(id: string, hosts: boolean): Record<string, string> {
  return {
    PartyRoleArn: `arn:aws:iam::${ACCOUNT}:role/fedmkt-dev-party-${id}`,
    JobQueueUrl: `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/fedmkt-dev-party-${id}`,
    ...(hosts ? { PrivateBucket: `private-${id}` } : {}),
  };
}
