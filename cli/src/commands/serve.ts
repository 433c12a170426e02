import type { Serving, ServingLogger } from "@fedmkt/gpu-workers/serving/serving.ts";
import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { describeServing } from "../describe-serving.ts";
import { STOPPED } from "../model/with-local-model.ts";
import { nameOptions, SERVE_ARGUMENTS, serveVariables } from "../serve-options.ts";

export const command: Command = {
  meta: {
    name: "serve",
    description: "answer OpenAI's requests with one model and any number of adapters, until it is stopped",
  },
  args: { ...SERVE_ARGUMENTS, ...JSON_ARGUMENT },
  repeatable: ["adapter"],
  examples: [
    "fedmkt serve --model models/smollm2 --adapter clinic-a=adapters/clinic-a",
    "fedmkt serve --model models/smollm2 --registry runs",
    "fedmkt serve --model models/smollm2 --registry s3://fedmkt-prod-registry --party clinic-a --host 0.0.0.0 --keys keys.json",
    "fedmkt serve --upstream http://127.0.0.1:8000 --model models/smollm2 --registry runs --keys keys.json",
  ],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    const serving = await start(context);
    const { drain, close: _, ...ready } = serving;
    // whoever started it may read on: the envelope is whole, and comes when requests can
    if (args.json === true) io.stdout.write(`${JSON.stringify({ ok: true, data: ready })}\n`);
    else io.stderr.write(`${describeServing(serving)}\n`);
    await untilAborted(io.signal);
    if (args.json !== true)
      io.stderr.write("no new requests; answers under way are given to their end, a second Ctrl-C cuts them off\n");
    const startedMs = dependencies.clockMs();
    const { answered, cutOff } = await drain();
    const seconds = ((dependencies.clockMs() - startedMs) / 1000).toFixed(1);
    const end = cutOff === 0 ? `drained in ${seconds} s` : `${count(cutOff, "answer")} cut off after ${seconds} s`;
    return { data: null, text: `${count(answered, "request")} answered; ${end}`, envelopeWritten: true };
  },
};

async function start({ args, io, dependencies }: CommandContext): Promise<Serving> {
  try {
    return await dependencies.startServing({
      variables: serveVariables({ args, io }),
      logger: logTo(io.stderr, args.json === true),
      makesKey: true,
      signal: io.signal,
    });
  } catch (error) {
    if (io.signal.aborted) throw new TransientError(STOPPED, "stopped by hand before it answered");
    if (error instanceof InvalidInputError && error.code === "ENVIRONMENT_INVALID")
      throw new InvalidInputError(
        "BAD_ARGUMENT",
        `fedmkt serve: ${nameOptions(error.message).replace(/^environment: /, "")}`,
      );
    if (error instanceof InvalidInputError)
      throw new InvalidInputError(error.code, nameOptions(error.message), { cause: error });
    throw error;
  }
}

/** What the endpoint says while it serves: a line each, of JSON where the rest is. */
function logTo(stderr: { write(text: string): unknown }, json: boolean): ServingLogger {
  const at =
    (level: "info" | "warn" | "error") =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      const told = Object.entries(facts)
        .filter(([, value]) => value !== undefined && (json || value !== null))
        .map(([name, value]) => [name, value instanceof Error ? value.message : value] as const);
      stderr.write(
        json
          ? `${JSON.stringify({ level, message, ...Object.fromEntries(told) })}\n`
          : `${[message, ...told.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)].join(" ")}\n`,
      );
    };
  return { info: at("info"), warn: at("warn"), error: at("error") };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
