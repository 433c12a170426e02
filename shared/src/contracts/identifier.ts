import { z } from "zod";

/** Names of runs, parties, data sets and baselines: they become parts of S3 keys and queue names, so little is allowed. */
export const identifier = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9+-]{0,62}$/,
    "expected lower-case letters, digits, + and -, starting with a letter or digit, at most 63",
  );
