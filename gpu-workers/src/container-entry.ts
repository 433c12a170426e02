import { houseLogger } from "@fedmkt/shared/runtime/house-logger.ts";
import { showAlive } from "./alive-file.ts";

/** What a container does, by its environment: the one job that it was started for, or those of a queue until it is stopped. */
showAlive();
if (process.env.FEDMKT_JOB !== undefined) await import("./entry.ts");
else if (process.env.FEDMKT_JOB_QUEUE_URL !== undefined) await import("./queue-entry.ts");
else {
  houseLogger("worker").critical("environment refused", {
    reason: "expected FEDMKT_JOB for one job, or FEDMKT_JOB_QUEUE_URL for those of a queue; got neither",
  });
  process.exit(2);
}
