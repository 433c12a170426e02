import type { ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

type Places = Pick<ServingEnvironment, "FEDMKT_SERVE_HOST" | "FEDMKT_SERVE_PORT" | "FEDMKT_SERVE_METRICS_PORT">;

/** What keeps a port from being listened on, in words; any other error as it is. */
export function listenFailure(cause: unknown, settings: Places): unknown {
  const { code, port = settings.FEDMKT_SERVE_PORT } = cause as NodeJS.ErrnoException & { port?: number };
  const place = `${settings.FEDMKT_SERVE_HOST}:${port}`;
  const setting =
    port === settings.FEDMKT_SERVE_METRICS_PORT
      ? "FEDMKT_SERVE_METRICS_PORT (0: no metrics)"
      : "FEDMKT_SERVE_PORT (0: any that is free)";
  if (code === "EADDRINUSE")
    return new InvalidInputError(
      "PORT_IN_USE",
      `${place}: expected a free port, another program listens there; name another one by ${setting}`,
      { cause },
    );
  if (code === "EACCES")
    return new InvalidInputError("ACCESS_DENIED", `${place}: expected a port that this user may listen on (${code})`, {
      cause,
    });
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EINVAL")
    return new InvalidInputError("HOST_UNKNOWN", `${place}: expected an address of this machine (${code})`, { cause });
  return cause;
}
