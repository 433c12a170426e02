import { encodeJson } from "../contracts/json-document.ts";
import { adapterAfterRound, SCORES } from "./party-outputs.ts";
import { scoreParty } from "./score-party.ts";
import { partyStage } from "./with-job.ts";

/** Scores a party as the round left it, under the run's own name or its variant's. */
export const evaluate = partyStage("evaluate", adapterAfterRound, async (job) => {
  const scores = await scoreParty(job, job.plan.variantOf?.variant ?? "fedmkt");
  await job.outputs.write(SCORES, encodeJson(scores));
  return { metrics: { scores: scores.length } };
});
