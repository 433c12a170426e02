import type { Command } from "./command.ts";

export interface ListedCommand {
  description: string;
  load(): Promise<Command>;
}

/** Every command, in the order of --help. */
export const COMMANDS: Readonly<Record<string, ListedCommand>> = {
  run: {
    description: "run a federation: in a deployment, or on this machine with --local",
    load: async () => (await import("./commands/run.ts")).command,
  },
  experiment: {
    description: "run a grid of specs with several seeds, and compare its cells",
    load: async () => (await import("./commands/experiment.ts")).command,
  },
  validate: {
    description: "check a spec and the models and data that it names, without running",
    load: async () => (await import("./commands/validate.ts")).command,
  },
  list: {
    description: "which runs there are, on this machine or in a deployment",
    load: async () => (await import("./commands/list.ts")).command,
  },
  plan: {
    description: "what a run in the cloud would do and cost, and what would stop it",
    load: async () => (await import("./commands/plan.ts")).command,
  },
  status: {
    description: "how runs stand, how far they are, and why one failed",
    load: async () => (await import("./commands/status.ts")).command,
  },
  logs: {
    description: "what a run's functions and workers in the cloud say",
    load: async () => (await import("./commands/logs.ts")).command,
  },
  stop: {
    description: "end a run in the cloud, at once or after its round",
    load: async () => (await import("./commands/stop.ts")).command,
  },
  resume: {
    description: "go on with a run in the cloud that failed or was stopped",
    load: async () => (await import("./commands/resume.ts")).command,
  },
  download: {
    description: "fetch what a finished run in the cloud made",
    load: async () => (await import("./commands/download.ts")).command,
  },
  inspect: {
    description: "list what a run holds, and show one thing of it: shards, maps, adapters, plan",
    load: async () => (await import("./commands/inspect.ts")).command,
  },
  align: {
    description: "say which tokens of two tokenizers belong together in texts",
    load: async () => (await import("./commands/align.ts")).command,
  },
  report: {
    description: "write a finished run's report.html again",
    load: async () => (await import("./commands/report.ts")).command,
  },
  train: {
    description: "fine-tune one model on this machine",
    load: async () => (await import("./commands/train.ts")).command,
  },
  extract: {
    description: "write what one model knows about data, as knowledge shards",
    load: async () => (await import("./commands/extract.ts")).command,
  },
  evaluate: {
    description: "score one model: loss, multiple choice, or generated answers",
    load: async () => (await import("./commands/evaluate.ts")).command,
  },
  generate: {
    description: "continue a text with one model",
    load: async () => (await import("./commands/generate.ts")).command,
  },
  "map-vocabulary": {
    description: "map one tokenizer's tokens to another's",
    load: async () => (await import("./commands/map-vocabulary.ts")).command,
  },
  deploy: {
    description: "make or change a deployment in an AWS account",
    load: async () => (await import("./commands/deploy.ts")).command,
  },
  destroy: {
    description: "take a deployment away",
    load: async () => (await import("./commands/destroy.ts")).command,
  },
  clients: {
    description: "make, list and revoke the clients of a deployment",
    load: async () => (await import("./commands/clients.ts")).command,
  },
  serve: {
    description: "answer OpenAI's requests with one model and any number of adapters",
    load: async () => (await import("./commands/serve.ts")).command,
  },
  keys: {
    description: "make, list, replace and revoke the keys of an inference endpoint",
    load: async () => (await import("./commands/keys.ts")).command,
  },
  worker: {
    description: "do a client's jobs on this machine",
    load: async () => (await import("./commands/worker.ts")).command,
  },
  doctor: {
    description: "check that this machine can run a federation",
    load: async () => (await import("./commands/doctor.ts")).command,
  },
};
