/**
 * How many states a run's machines enter and how many events they leave in Step Functions' history, where nothing fails. Held to the
 * synthesized machines by a test that runs them.
 *
 * An execution's history ends at 25,000 events, and the execution with it. What is billed are state transitions: a state entered is
 * one, whatever it does inside, and each retry is one more.
 */

/** Where an execution of AWS Step Functions fails: events of its history, bytes of a state's input or output. */
export const STEP_FUNCTIONS_LIMITS = { events: 25_000, payloadBytes: 262_144 } as const;

/** A failed attempt of a task that waits for a token: scheduled, started, submitted, failed. */
export const EVENTS_OF_A_RETRY = 4;

/** All that the machines' numbers of states depend on. */
export interface MachineSize {
  rounds: number;
  clients: number;
  /** slices of the public set */
  shards: number;
  /** ordered pairs of vocabularies */
  maps: number;
  baselines: number;
  /** whether the clients' adapters are averaged */
  averages: boolean;
}

export interface StateCount {
  transitions: number;
  events: number;
}

/** Entered and exited. */
const PASS: StateCount = { transitions: 1, events: 2 };
const CHOICE = PASS;
const SUCCEED = PASS;
/** Entered, scheduled, started, succeeded, exited. */
const LAMBDA: StateCount = { transitions: 1, events: 5 };
/** The same with `submitted`: a task that waits for its token, or for another execution. */
const TOKEN: StateCount = { transitions: 1, events: 6 };
const NESTED = TOKEN;
/** A job of a party: the choice of where it runs, and the task there. The server's own stages have no choice. */
const JOB = inOrder(CHOICE, TOKEN);
const SERVER_JOB = TOKEN;
/** Started and succeeded. */
const EXECUTION_EVENTS = 2;

/** The run machine's own execution; its rounds have executions of their own. */
export function countRunStates(size: MachineSize): StateCount {
  const round = inOrder(NESTED, CHOICE);
  return asExecution(
    inOrder(PASS, CHOICE, PASS, LAMBDA, CHOICE),
    mapped(size.maps, LAMBDA),
    mapped(size.baselines, JOB),
    times(size.rounds, round),
    times(size.rounds - 1, PASS),
    inOrder(LAMBDA, SUCCEED),
  );
}

/** One execution of the round machine. @param first - in the first round the server extracts its knowledge by itself */
export function countRoundStates(size: MachineSize, first: boolean): StateCount {
  const transfers = size.clients * size.shards;
  return asExecution(
    PASS,
    parallel(mapped(size.clients, JOB), inOrder(CHOICE, first ? SERVER_JOB : PASS)),
    mapped(transfers, TOKEN),
    LAMBDA,
    SERVER_JOB,
    mapped(transfers, TOKEN),
    mapped(size.clients, inOrder(LAMBDA, JOB)),
    CHOICE,
    ...(size.averages ? [LAMBDA] : []),
    mapped(size.clients + 1, JOB),
    LAMBDA,
  );
}

/** The whole run: what is billed, and the longest history of one execution. */
export function countRun(size: MachineSize): { transitions: number; events: number; longestHistory: number } {
  const run = countRunStates(size);
  const first = countRoundStates(size, true);
  const later = countRoundStates(size, false);
  const sum = inOrder(run, first, times(size.rounds - 1, later));
  return { ...sum, longestHistory: Math.max(run.events, first.events) };
}

function inOrder(...steps: readonly StateCount[]): StateCount {
  return {
    transitions: steps.reduce((sum, { transitions }) => sum + transitions, 0),
    events: steps.reduce((sum, { events }) => sum + events, 0),
  };
}

function times(count: number, { transitions, events }: StateCount): StateCount {
  return { transitions: count * transitions, events: count * events };
}

/** An inline Map: entered, started, succeeded, exited; each iteration started and succeeded. */
function mapped(iterations: number, each: StateCount): StateCount {
  return {
    transitions: 1 + iterations * each.transitions,
    events: 4 + iterations * (2 + each.events),
  };
}

/** Entered, started, succeeded, exited; branches have no events of their own. */
function parallel(...branches: readonly StateCount[]): StateCount {
  return inOrder({ transitions: 1, events: 4 }, ...branches);
}

function asExecution(...steps: readonly StateCount[]): StateCount {
  return inOrder(...steps, { transitions: 0, events: EXECUTION_EVENTS });
}
