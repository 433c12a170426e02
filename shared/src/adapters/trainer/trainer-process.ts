import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import {
  type TrainerAnswer,
  type TrainerEvent,
  type TrainerReply,
  type TrainerRequest,
  trainerGreeting,
  trainerMessage,
} from "../../contracts/trainer-protocol.ts";
import { type FedmktError, InvalidInputError, InvariantError, TransientError } from "../../core/errors.ts";
import { type Frame, FrameReader, writeFrame } from "./frames.ts";

/** How long a trainer may take before it is taken for broken. */
export interface TrainerPatience {
  /** until its greeting: a Python loads its libraries */
  startMs: number;
  /** between two messages: a large model is loaded, a large micro-batch computed */
  silenceMs: number;
  /** to come to the end of what is under way, when the model is closed */
  closeMs: number;
}

export const USUAL_PATIENCE: TrainerPatience = { startMs: 120_000, silenceMs: 1_800_000, closeMs: 20_000 };

const CLASSES = { InvalidInputError, TransientError, InvariantError } as const;

/** What a request ends with: the answer and what is attached to it. */
export interface Answered<Name extends TrainerAnswer["answer"]> {
  answer: Extract<TrainerAnswer, { answer: Name }>;
  attached: Uint8Array[];
}

/** An event and what is attached to it. */
export interface Heard {
  event: TrainerEvent;
  attached: Uint8Array[];
}

/** A request under way. */
export type Exchange<Name extends TrainerAnswer["answer"]> = AsyncGenerator<Heard, Answered<Name>, TrainerReply>;

/**
 * The caller's end of a trainer's process, which holds one model at a time. Whoever has spoken waits for the other, so that
 * neither has to listen while it works. A process that broke the protocol is ended: nothing more that it says is believed.
 */
export class TrainerProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #frames: FrameReader;
  readonly #patience: TrainerPatience;
  readonly #exited: Promise<string>;
  #broken: FedmktError | null = null;

  private constructor(command: readonly string[], patience: TrainerPatience) {
    this.#patience = patience;
    const [program, ...rest] = command;
    this.#child = spawn(program, rest, {
      // its words go where ours go: they may be of private data, so that no error repeats them
      stdio: ["pipe", "pipe", "inherit"],
      env: withoutSecrets(process.env),
      // in a group of its own: a terminal's Ctrl-C is ours to answer, with a checkpoint that the trainer must live to give
      detached: true,
    });
    this.#frames = new FrameReader(this.#child.stdout);
    this.#exited = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve(error.message));
      this.#child.once("exit", (code, signal) =>
        resolve(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
      );
    });
    this.#child.stdin.on("error", () => {}); // a process that is gone is noticed where its answer is awaited
  }

  /**
   * @param signal - ends it while it starts
   * @throws InvalidInputError `TRAINER_UNAVAILABLE` where the command cannot be started or gives no greeting of the protocol
   */
  static async start(
    command: readonly string[],
    patience: TrainerPatience,
    signal?: AbortSignal,
  ): Promise<TrainerProcess> {
    const trainer = new TrainerProcess(command, patience);
    const kill = () => trainer.kill();
    signal?.addEventListener("abort", kill, { once: true });
    const refuse = (got: string) =>
      new InvalidInputError(
        "TRAINER_UNAVAILABLE",
        `the trainer ${command.join(" ")}: expected its greeting (docs/trainers.md), got ${got}`,
      );
    try {
      const frame = await trainer.#hear(0, patience.startMs);
      if (trainerGreeting.safeParse(frame.message).success) return trainer;
    } catch (error) {
      await trainer.end();
      throw refuse((error as Error).message);
    } finally {
      signal?.removeEventListener("abort", kill);
    }
    await trainer.end();
    throw refuse("a message of another protocol or version");
  }

  /** How long it may take to close a model. */
  get closeMs(): number {
    return this.#patience.closeMs;
  }

  /** Whether it can still be asked. */
  get isFit(): boolean {
    return this.#broken === null;
  }

  /** Lets the process keep ours alive, or not. */
  keepAlive(isBusy: boolean): void {
    const handles = [this.#child, this.#child.stdin, this.#child.stdout] as { ref?(): void; unref?(): void }[];
    for (const handle of handles)
      if (isBusy) handle.ref?.();
      else handle.unref?.();
  }

  /**
   * Asks for one thing. Each event that is handed out waits for the reply that `next` is given.
   * @param limits - bytes that may be attached to the answer, and to any event
   * @throws what the trainer says that went wrong; `TRAINER_INVALID`, `TRAINER_ENDED`, `TRAINER_SILENT`
   */
  async *ask<Name extends TrainerAnswer["answer"]>(
    request: TrainerRequest & { request: Name },
    attached: readonly Uint8Array[],
    limits: { answer: number; event?: number },
  ): Exchange<Name> {
    if (this.#broken) throw this.#broken;
    const { event: ofEvent = 0, answer: ofAnswer } = limits;
    this.#say(request, attached);
    for (;;) {
      const frame = await this.#hear(Math.max(ofEvent, ofAnswer), this.#patience.silenceMs);
      const parsed = trainerMessage.safeParse(frame.message);
      if (!parsed.success) throw await this.#break(invalid(`expected one of docs/trainers.md, got another`));
      const { data } = parsed;
      if ("failure" in data) {
        const { name, code, message } = data.failure;
        throw new CLASSES[name](code, message);
      }
      if ("answer" in data) {
        if (data.answer !== request.request)
          throw await this.#break(invalid(`expected the answer to ${request.request}, got one to ${data.answer}`));
        return { answer: data, attached: frame.attached } as Answered<Name>;
      }
      const reply: TrainerReply = yield { event: data, attached: frame.attached };
      this.#say({ do: reply });
    }
  }

  /** Ends the process as broken: it is not believed any more. @returns the error */
  async refuse(reason: string): Promise<FedmktError> {
    return this.#break(invalid(reason));
  }

  /** Ends the process: by the end of its input, and by force where that does not help. */
  async end(): Promise<void> {
    this.#broken ??= new InvariantError("ENGINE_CLOSED", "the trainer has been ended");
    this.keepAlive(true);
    this.#child.stdin.end();
    await this.#ending();
  }

  /** Ends the process by force. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #say(message: object, attached: readonly Uint8Array[] = []): void {
    for (const part of writeFrame(message, attached)) this.#child.stdin.write(part);
  }

  async #hear(limitBytes: number, withinMs: number): Promise<Frame> {
    const silent = Promise.withResolvers<"silent">();
    const timer = setTimeout(() => silent.resolve("silent"), withinMs);
    try {
      const frame = await Promise.race([this.#frames.read(limitBytes), silent.promise]);
      if (frame === "silent")
        throw new TransientError(
          "TRAINER_SILENT",
          `the trainer: expected a message within ${withinMs / 1000} s, got none`,
        );
      if (frame === null)
        throw new TransientError(
          "TRAINER_ENDED",
          `the trainer: expected a message, but its output ended; ${await this.#ending()}`,
        );
      return frame;
    } catch (error) {
      throw await this.#break(error as FedmktError);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the process's end, which is near, and brings it about where it does not come. @returns how it ended */
  async #ending(): Promise<string> {
    const timer = setTimeout(() => this.kill(), this.#patience.closeMs);
    try {
      return await this.#exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async #break(error: FedmktError): Promise<FedmktError> {
    this.#broken ??= error;
    this.#child.kill("SIGKILL");
    await this.#exited;
    return this.#broken;
  }
}

/** A trainer reads models and what it is told: it needs no credentials of the cloud, and no settings of ours. */
function withoutSecrets(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !/^(AWS|FEDMKT)_/.test(name)));
}

function invalid(reason: string): InvalidInputError {
  return new InvalidInputError("TRAINER_INVALID", `the trainer's message: ${reason}`);
}
