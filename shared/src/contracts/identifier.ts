import { z } from "zod";

/** Names of data sets and baselines: they become parts of S3 keys, so little is allowed. */
export const identifier = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9+-]{0,62}$/,
    "expected lower-case letters, digits, + and -, starting with a letter or digit, at most 63",
  );

/** Names of runs and parties: they become parts of queues', roles' and tasks' names too, which allow less and are shorter. */
export const resourceName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,39}$/,
    "expected lower-case letters, digits and -, starting with a letter or digit, at most 40",
  );
