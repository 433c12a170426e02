import { z } from "zod";

/** Names of data sets and baselines: they become parts of S3 keys, so little is allowed. */
export const identifier = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9+-]{0,62}$/,
    "expected lower-case letters, digits, + and -, starting with a letter or digit, at most 63",
  );

/** Names of runs: they become parts of executions' and jobs' names too, which allow less and are shorter. */
export const resourceName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,39}$/,
    "expected lower-case letters, digits and -, starting with a letter or digit, at most 40",
  );

/**
 * Names of parties: they become parts of queues', roles' and tasks' names. Two hyphens stand between a source and a target in a key
 * (`artefactKeys.aligned`), and a role's patterns of keys rely on it.
 */
export const PARTY_PATTERN = /^(?!.*--)[a-z0-9][a-z0-9-]{0,39}$/;

export const partyName = z
  .string()
  .regex(
    PARTY_PATTERN,
    "expected lower-case letters, digits and single -, starting with a letter or digit, at most 40",
  );
