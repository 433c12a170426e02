import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { houseLogger } from "@fedmkt/shared/runtime/house-logger.ts";
import { stageFailure } from "@fedmkt/shared/runtime/stage-failure.ts";
import type { ServingLogger } from "./serving/serving.ts";
import { startServing } from "./serving/start-serving.ts";

const house = houseLogger("serve");
const logger: ServingLogger = {
  info: (message, facts = {}) => house.info(message, facts),
  warn: (message, facts = {}) => house.warn(message, facts),
  error: (message, facts = {}) => house.error(message, facts),
};

const stopping = new AbortController();
let broken = false;
const stop = (why: string) => {
  // whoever asks twice does not want to wait
  if (stopping.signal.aborted) process.exit(1);
  logger.warn("endpoint is to stop", { why });
  stopping.abort();
};
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
const breakDown = (thrown: unknown) => {
  logger.error("endpoint is broken: an error was caught by nobody", { error: thrown });
  broken = true;
  if (!stopping.signal.aborted) stop("a broken process answers no more");
};
process.on("uncaughtException", breakDown);
process.on("unhandledRejection", breakDown);

try {
  const {
    drain,
    close: _,
    key: __,
    ...ready
  } = await startServing({
    variables: process.env,
    logger,
    makesKey: false,
    signal: stopping.signal,
  });
  logger.info("endpoint answers", ready);
  if (!stopping.signal.aborted)
    await new Promise((resolve) => stopping.signal.addEventListener("abort", resolve, { once: true }));
  logger.info("endpoint ended", { ...(await drain()) });
} catch (thrown) {
  // stopped before it began: nothing was under way
  if (!stopping.signal.aborted) {
    const failure = stageFailure("serve", thrown);
    house.critical("endpoint not started", { code: failure.code, error: failure });
    // 2: the same settings fail again, and whoever restarts containers need not try
    process.exit(failure instanceof InvalidInputError ? 2 : 1);
  }
}
process.exit(broken ? 1 : 0);
