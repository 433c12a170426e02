import { houseLogger } from "@fedmkt/shared/runtime/house-logger.ts";
import { showAlive } from "./alive-file.ts";

/**
 * What a container does, by its environment: the one job that it was started for, those of a queue or requests, until it is stopped, or
 * fetching a model for the containers beside it.
 */
showAlive();
if (process.env.FEDMKT_JOB !== undefined) await import("./entry.ts");
else if (process.env.FEDMKT_JOB_QUEUE_URL !== undefined) await import("./queue-entry.ts");
else if ((process.env.FEDMKT_SERVE_MODEL ?? process.env.FEDMKT_SERVE_UPSTREAM) !== undefined)
  await import("./serve-entry.ts");
else if (process.env.FEDMKT_FETCH_MODEL !== undefined) await import("./fetch-entry.ts");
else {
  houseLogger("worker").critical("environment refused", {
    reason:
      "expected FEDMKT_JOB for one job, FEDMKT_JOB_QUEUE_URL for those of a queue, FEDMKT_SERVE_MODEL or FEDMKT_SERVE_UPSTREAM to answer requests, or FEDMKT_FETCH_MODEL to fetch a model; got none",
  });
  process.exit(2);
}
