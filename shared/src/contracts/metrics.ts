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
  /** name of the dimension that holds the inference endpoint's name, of the metrics below; one process of several writes each */
  endpointDimension: "endpoint",
  /** how long a request waited for its turn, in seconds: each one that was given its turn or went away; of one that was sent away, for how long */
  queueSeconds: "QueueSeconds",
  /** answers under way, of those that may be under way at once, from 0 to 1; as often as it is written down */
  busyShare: "BusyShare",
  /** published adapters that the endpoint does not serve, each when it was refused */
  adaptersRefused: "AdaptersRefused",
} as const;
