import type { Command } from "./command.ts";

export interface ListedCommand {
  description: string;
  load(): Promise<Command>;
}

/** Every command, in the order of --help. */
export const COMMANDS: Readonly<Record<string, ListedCommand>> = {
  run: {
    description: "run a federation: here on this machine, with --local",
    load: async () => (await import("./commands/run.ts")).command,
  },
  validate: {
    description: "check a spec and the models and data that it names, without running",
    load: async () => (await import("./commands/validate.ts")).command,
  },
  status: {
    description: "how runs stand, and why one failed",
    load: async () => (await import("./commands/status.ts")).command,
  },
  inspect: {
    description: "list what a run holds, and show one thing of it: shards, maps, adapters, plan",
    load: async () => (await import("./commands/inspect.ts")).command,
  },
  report: {
    description: "write a finished run's report.html again",
    load: async () => (await import("./commands/report.ts")).command,
  },
  doctor: {
    description: "check that this machine can run a federation",
    load: async () => (await import("./commands/doctor.ts")).command,
  },
};
