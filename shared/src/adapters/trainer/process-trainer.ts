import { InvariantError } from "../../core/errors.ts";
import type { Device, Engine } from "../../ports/engine.ts";
import { ProcessModel } from "./process-model.ts";
import { type TrainerPatience, TrainerProcess, USUAL_PATIENCE } from "./trainer-process.ts";

export interface ProcessTrainer {
  /** program and arguments; started without a shell */
  command: readonly string[];
  device?: Device;
  patience?: Partial<TrainerPatience>;
}

/**
 * Another trainer in the engine's place: a program that speaks the protocol of docs/trainers.md. Each open model has a process to
 * itself, which is kept for the next model, since loading a framework takes seconds. Input is checked before it is sent, and what
 * comes back before it is believed.
 */
export function createProcessTrainer({ command, device = "cpu", patience = {} }: ProcessTrainer): Engine {
  const processes = new Set<TrainerProcess>();
  const models = new Set<ProcessModel>();
  const idle: TrainerProcess[] = [];
  let isClosed = false;
  return {
    async open(options) {
      const trainer = idle.pop() ?? (await TrainerProcess.start(command, { ...USUAL_PATIENCE, ...patience }));
      processes.add(trainer);
      trainer.keepAlive(true);
      const release = () => {
        models.delete(model);
        if (!trainer.isFit) processes.delete(trainer);
        else if (!isClosed) idle.push(trainer);
        trainer.keepAlive(false);
      };
      const model: ProcessModel = new ProcessModel(trainer, release);
      models.add(model);
      try {
        if (isClosed) throw new InvariantError("ENGINE_CLOSED", "the engine has been closed");
        await model.open(options, device);
        return model;
      } catch (error) {
        await model.close();
        throw error;
      }
    },
    async close() {
      isClosed = true;
      await Promise.all([...models].map((model) => model.close()));
      await Promise.all([...processes].map((trainer) => trainer.end()));
      processes.clear();
      idle.length = 0;
      isClosed = false;
    },
  };
}

/** Starts a trainer and lets it go again. @throws InvalidInputError `TRAINER_UNAVAILABLE` where it cannot be started */
export async function requireTrainer(command: readonly string[]): Promise<void> {
  await (await TrainerProcess.start(command, USUAL_PATIENCE)).end();
}
