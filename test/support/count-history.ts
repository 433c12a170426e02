import { type Definition, tasksOf } from "../../cli/src/local/state-definition.ts";
import type { Step } from "./execute-definition.ts";

/** What one execution leaves behind on AWS, counted from the interpreter's steps. */
export interface History {
  /** events by AWS's name of their type */
  events: Map<string, number>;
  /** states entered, and retries: what is billed */
  transitions: number;
  /** the largest input or output of a state */
  largest: { bytes: number; state: string };
}

/** A task that waits for a token or for another execution is submitted; a plain call of a service answers at once. */
const SUBMITTED = /\.(waitForTaskToken|sync:2)$/;

/**
 * Writes down AWS's history events of one execution of a machine, as GetExecutionHistory would list them: the interpreter tells
 * of states entered and left alone, AWS also of what a task or a Map does in between.
 */
export function historyOf(definition: object): { history: History; record: (step: Step) => void } {
  const resources = new Map(tasksOf(definition as Definition).map(({ name, state }) => [name, state.Resource ?? ""]));
  const history: History = { events: new Map(), transitions: 0, largest: { bytes: 0, state: "" } };
  const add = (...types: string[]) => {
    for (const type of types) history.events.set(type, (history.events.get(type) ?? 0) + 1);
  };
  const attempt = (name: string) =>
    add("TaskScheduled", "TaskStarted", ...(SUBMITTED.test(resources.get(name)!) ? ["TaskSubmitted"] : []));

  const caught = new Set<string>();

  function measure(state: string, value: unknown): void {
    const bytes = new TextEncoder().encode(JSON.stringify(value) ?? "").length;
    if (bytes > history.largest.bytes) history.largest = { bytes, state };
  }

  function record({ type, state }: Step): void {
    if (state === undefined) {
      // branches of a Parallel have no events of their own
      if (!type.startsWith("ParallelBranch")) add(type);
      return;
    }
    const { name, type: kind, input, output } = state;
    switch (type) {
      case "StateEntered":
        history.transitions++;
        measure(name, input);
        add(`${kind}StateEntered`);
        if (kind === "Task") attempt(name);
        if (kind === "Map" || kind === "Parallel") add(`${kind}StateStarted`);
        break;
      case "StateExited":
        measure(name, output);
        if (caught.delete(name)) add("TaskFailed");
        else if (kind === "Task") add("TaskSucceeded");
        if (kind === "Map" || kind === "Parallel") add(`${kind}StateSucceeded`);
        add(`${kind}StateExited`);
        break;
      case "StateRetried":
        history.transitions++;
        add("TaskFailed");
        attempt(name);
        break;
      case "StateCaught":
        caught.add(name); // and is left next
        break;
    }
  }

  return { history, record };
}

export function countEvents({ events }: History): number {
  return [...events.values()].reduce((sum, count) => sum + count, 0);
}
