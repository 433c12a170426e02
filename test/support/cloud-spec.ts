import { SPEC } from "./spec.ts";

/** The toy federation as a deployment can read it: harbour's jobs in the cluster, the ward's at its own site. */
export const CLOUD_SPEC = SPEC.replace("private: harbour.jsonl", "private: s3://private-harbour/harbour.jsonl")
  .replace("private: ward.jsonl", "private: ward.jsonl\n    compute: worker")
  .replace("data: heldout-harbour.jsonl, owner: harbour", "data: s3://private-harbour/heldout.jsonl, owner: harbour");
