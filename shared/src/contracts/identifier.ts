import { z } from "zod";
import { mainRunOf, VARIANTS } from "./variants.ts";

/** Names of data sets and baselines: they become parts of S3 keys, so little is allowed. */
export const identifier = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9+-]{0,62}$/,
    "expected lower-case letters, digits, + and -, starting with a letter or digit, at most 63",
  );

/**
 * Names of parties: they become parts of queues', roles' and tasks' names. Two hyphens stand between a source and a target in a key
 * (`artefactKeys.aligned`), and a role's patterns of keys rely on it.
 */
export const PARTY_PATTERN = /^(?!.*--)[a-z0-9][a-z0-9-]{0,39}$/;

const NAME_RULE = "expected lower-case letters, digits and single -, starting with a letter or digit, at most 40";

export const partyName = z.string().regex(PARTY_PATTERN, NAME_RULE);

/**
 * Names of runs: they become parts of executions' names too, which allow less than keys and are shorter. Two hyphens stand between
 * a run and its variants.
 */
export const resourceName = z.string().regex(PARTY_PATTERN, NAME_RULE);

/** What a stage knows a run by: its name, or the id of one of its variants. */
export const runId = z
  .string()
  .refine(
    (id) => PARTY_PATTERN.test(mainRunOf(id)),
    `expected a run's name, alone or with ${VARIANTS.map((name) => `--${name}`).join(", ")} at its end`,
  );
