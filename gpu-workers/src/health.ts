import { whyNotAlive } from "./alive-file.ts";

/** The container's health check: exit code 0 where its worker is alive. */
const reason = whyNotAlive();
if (reason !== null) console.error(reason);
process.exit(reason === null ? 0 : 1);
