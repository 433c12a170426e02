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
  const starting = new Set<Promise<TrainerProcess>>();
  const models = new Set<ProcessModel>();
  const idle: TrainerProcess[] = [];
  let life = new AbortController();
  return {
    async open(options) {
      const { signal } = life;
      const trainer = idle.pop() ?? (await start(signal));
      trainer.keepAlive(true);
      const release = () => {
        models.delete(model);
        if (!trainer.isFit) processes.delete(trainer);
        else if (!signal.aborted) idle.push(trainer);
        trainer.keepAlive(false);
      };
      const model: ProcessModel = new ProcessModel(trainer, release);
      models.add(model);
      try {
        if (signal.aborted) throw closed();
        await model.open(options, device);
        return model;
      } catch (error) {
        await model.close();
        throw error;
      }
    },
    async close() {
      life.abort();
      life = new AbortController();
      await Promise.allSettled(starting);
      await Promise.all([...models].map((model) => model.close()));
      const ended = [...processes];
      processes.clear();
      idle.length = 0;
      await Promise.all(ended.map((trainer) => trainer.end()));
    },
  };

  /** @param signal - aborted where the engine is closed meanwhile */
  async function start(signal: AbortSignal): Promise<TrainerProcess> {
    const started = TrainerProcess.start(command, { ...USUAL_PATIENCE, ...patience }, signal);
    starting.add(started);
    try {
      const trainer = await started;
      processes.add(trainer);
      return trainer;
    } catch (error) {
      throw signal.aborted ? closed() : error;
    } finally {
      starting.delete(started);
    }
  }
}

function closed(): InvariantError {
  return new InvariantError("ENGINE_CLOSED", "the engine has been closed");
}

/** Starts a trainer and lets it go again. @throws InvalidInputError `TRAINER_UNAVAILABLE` where it cannot be started */
export async function requireTrainer(command: readonly string[]): Promise<void> {
  await (await TrainerProcess.start(command, USUAL_PATIENCE)).end();
}
