/** What a held-out set is for. */
export const TASKS = ["text", "multiple-choice", "generation"] as const;
export type Task = (typeof TASKS)[number];

interface ScoreMetric {
  task: Task;
  better: "less" | "more";
  /** whether it is told where the set names no metrics */
  usual: boolean;
  /** as people read it */
  title: string;
}

/** What a party can be scored by on a held-out set. */
export const SCORE_METRICS = {
  "bits-per-byte": { task: "text", better: "less", usual: true, title: "bits/byte" },
  "nats-per-token": { task: "text", better: "less", usual: false, title: "nats/token" },
  "token-accuracy": { task: "text", better: "more", usual: false, title: "token accuracy" },
  accuracy: { task: "multiple-choice", better: "more", usual: true, title: "accuracy" },
  "accuracy-by-length": { task: "multiple-choice", better: "more", usual: true, title: "accuracy by length" },
  "accuracy-by-characters": { task: "multiple-choice", better: "more", usual: false, title: "accuracy by characters" },
  "rouge-l": { task: "generation", better: "more", usual: true, title: "ROUGE-L" },
  "exact-match": { task: "generation", better: "more", usual: true, title: "exact match" },
} as const satisfies Record<string, ScoreMetric>;

export type ScoreMetricName = keyof typeof SCORE_METRICS;
export const SCORE_METRIC_NAMES = Object.keys(SCORE_METRICS) as [ScoreMetricName, ...ScoreMetricName[]];

/** The metrics of a task: all, or those that are told unless a set names others. */
export function metricsOf(task: Task, which: "all" | "usual"): ScoreMetricName[] {
  return SCORE_METRIC_NAMES.filter(
    (name) => SCORE_METRICS[name].task === task && (which === "all" || SCORE_METRICS[name].usual),
  );
}

/** Most tokens of a generated answer, unless a set says otherwise. */
export const USUAL_ANSWER_TOKENS = 128;
