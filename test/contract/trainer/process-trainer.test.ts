import { resolve } from "node:path";
import { it } from "@jest/globals";
import { createProcessTrainer } from "../../../shared/src/adapters/trainer/process-trainer.ts";
import { describeTrainer } from "./trainer-conformance.ts";

const program = resolve(import.meta.dirname, "../../support/trainers/engine-trainer.ts");

const peer = process.env.FEDMKT_PEER_PYTHON;
const pyTorch = resolve(import.meta.dirname, "../../../examples/trainers/pytorch/trainer.py");

describeTrainer("a process that serves the engine", () =>
  createProcessTrainer({ command: [process.execPath, "--no-warnings", program] }),
);

if (peer) describeTrainer("PyTorch with PEFT", () => createProcessTrainer({ command: [peer, pyTorch] }));
else it.skip("PyTorch with PEFT as a trainer: FEDMKT_PEER_PYTHON names no Python that has them", () => {});
