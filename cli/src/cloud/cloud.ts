import type { BucketName, deploymentNames, EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import type { ObjectStore } from "@fedmkt/shared/ports/object-store.ts";

/** One deployment in one account and region, as commands see it; everything in it is found by names alone. */
export interface Cloud {
  readonly environment: EnvironmentName;
  readonly account: string;
  readonly region: string;
  /** `aws`, or that of a country of its own */
  readonly partition: string;
  readonly names: ReturnType<typeof deploymentNames>;
  bucket(name: BucketName): string;
  readonly objects: CloudObjects;
  readonly machines: CloudMachines;
  readonly stacks: CloudStacks;
  readonly logs: CloudLogs;
  readonly queues: CloudQueues;
  readonly clusters: CloudClusters;
}

/** What operators do to buckets, beyond what stages do. */
export interface CloudObjects extends ObjectStore {
  /** Streams a file of this machine up, in parts. */
  putFile(bucket: string, key: string, file: string): Promise<void>;
  /** Takes one object away; one that is not there is no error. */
  remove(bucket: string, key: string): Promise<void>;
  /** Whether there is such a bucket, which may be another account's. */
  hasBucket(bucket: string): Promise<boolean>;
  /** Takes every version of every object away. @returns how many; 0 where there is no such bucket */
  empty(bucket: string): Promise<number>;
}

export type ExecutionEnd = "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED";

export interface CloudExecution {
  /** ARN */
  id: string;
  status: "RUNNING" | ExecutionEnd;
  /** milliseconds since the epoch */
  startedMs: number;
  stoppedMs: number | null;
  /** as JSON */
  input: string;
  error?: string;
  cause?: string;
}

/** State machines, by their names. */
export interface CloudMachines {
  /** @returns the execution's ARN */
  start(machine: string, name: string, input: unknown): Promise<string>;
  /** @returns null where there is no such execution, or no longer */
  describe(execution: string): Promise<CloudExecution | null>;
  /** ARNs of the executions that run now, newest first; none where there is no such machine */
  running(machine: string): Promise<string[]>;
  /** Ends one that runs; one that has ended is left alone. */
  stop(execution: string, error: string, cause: string): Promise<void>;
}

export interface CloudStack {
  name: string;
  /** CloudFormation's, such as CREATE_COMPLETE */
  status: string;
  outputs: Readonly<Record<string, string>>;
  parameters: Readonly<Record<string, string>>;
}

export interface StackChange {
  name: string;
  /** JSON */
  template: string;
  parameters: Readonly<Record<string, string>>;
  tags: Readonly<Record<string, string>>;
  /** one line a resource that is done or failed */
  onProgress: (line: string) => void;
}

export interface CloudStacks {
  /** @returns null where there is none of this name */
  describe(name: string): Promise<CloudStack | null>;
  /** those whose names begin so, in order of name */
  list(prefix: string): Promise<CloudStack[]>;
  /** Creates or updates, and waits for the end. @throws InvalidInputError `STACK_FAILED` with the reasons */
  apply(change: StackChange): Promise<"created" | "updated" | "unchanged">;
  /** Deletes and waits for the end. @throws InvalidInputError `STACK_FAILED` */
  remove(name: string, onProgress: (line: string) => void): Promise<void>;
}

export interface CloudLogLine {
  atMs: number;
  /** of a group, tells one function's or task's lines from another's */
  stream: string;
  text: string;
}

export interface CloudLogs {
  /** Lines of a group since a time that hold a word, oldest first; none where there is no such group yet. */
  read(group: string, word: string, sinceMs: number): Promise<CloudLogLine[]>;
}

export interface CloudQueues {
  /** @returns null where there is no queue of this name */
  count(name: string): Promise<{ waiting: number; taken: number } | null>;
}

export interface CloudClusters {
  /** EC2 machines that are in a cluster now; 0 where there is no such cluster */
  countMachines(name: string): Promise<number>;
}
