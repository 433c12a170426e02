import type { LocalResource } from "./assembly.ts";
import { rulesOf } from "./events-rules.ts";
import type { RunningExecution } from "./executions.ts";
import type { LambdaFunctions } from "./lambda-functions.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { toError } from "./named-error.ts";
import type { StateMachines } from "./state-machines.ts";

/** An event as EventBridge delivers it. */
export interface BusEvent<Detail = unknown> {
  version: string;
  id: string;
  "detail-type": string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: Detail;
}

export interface EventBus {
  /** Starts the machines and invokes the functions whose rules match; machines have started once this returns. */
  publish(event: BusEvent): void;
  /** Resolves when every function that an event went to has answered. */
  settled(): Promise<void>;
  /** Told of every execution that a rule starts. */
  onStarted(listener: (execution: RunningExecution, event: BusEvent) => void): void;
  /** From now on events go nowhere. */
  stop(): void;
}

/** The default bus with the assembly's rules. A function that fails is reported and not asked again: a local run waits for nobody. */
export function eventBus(options: {
  resources: readonly LocalResource[];
  machines: () => StateMachines;
  functions: LambdaFunctions;
  onEvent: OnLocalEvent;
}): EventBus {
  const targetsOf = rulesOf(options.resources);
  const listeners: ((execution: RunningExecution, event: BusEvent) => void)[] = [];
  const underWay = new Set<Promise<unknown>>();
  let stopped = false;
  const failed = (arn: string, error: unknown) => {
    if (stopped) return;
    options.onEvent({ kind: "log", source: "events", line: `${arn}: ${toError(error).message}`, level: "error" });
  };

  function deliver(arn: string, input: unknown, event: BusEvent): void {
    if (arn.split(":")[2] === "lambda") {
      const invoked = options.functions
        .invoke(arn, input)
        .catch((error) => failed(arn, error))
        .finally(() => underWay.delete(invoked));
      underWay.add(invoked);
      return;
    }
    const execution = options.machines().start(arn, input);
    for (const listener of listeners) listener(execution, event);
  }

  return {
    publish(event) {
      if (stopped) return;
      for (const { arn, input } of targetsOf(event)) {
        try {
          deliver(arn, input(event), event);
        } catch (error) {
          failed(arn, error);
        }
      }
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    onStarted: (listener) => listeners.push(listener),
    stop() {
      stopped = true;
    },
  };
}
