/**
 * Metrics of our own, which functions write into their logs for CloudWatch to count (its embedded metric format), and which alarms
 * and the dashboard read. A metric is told from those of another deployment by its dimensions, which must be named in full.
 */
export const METRICS = {
  namespace: "FedMKT",
  /** dimension `service` of every metric */
  service: "fedmkt",
  /** name of the dimension that holds the deployed function's name: two environments share an account */
  functionDimension: "function",
  /** what a run's workers have cost when a round of it closed */
  runDollars: "RunDollars",
  roundsClosed: "RoundsClosed",
  /** public samples that a target learns from others, each time one selects */
  samplesSelected: "SamplesSelected",
  /** selections that picked nothing: the target learns from labels alone */
  emptySelections: "EmptySelections",
  /** runs that were written down as failed, each once */
  failedRuns: "FailedRuns",
} as const;
