import { resolve } from "node:path";
import { createProcessTrainer } from "../../../shared/src/adapters/trainer/process-trainer.ts";
import { describeTrainer } from "./trainer-conformance.ts";

const program = resolve(import.meta.dirname, "../../support/trainers/engine-trainer.ts");

describeTrainer("a process that serves the engine", () =>
  createProcessTrainer({ command: [process.execPath, "--no-warnings", program] }),
);
