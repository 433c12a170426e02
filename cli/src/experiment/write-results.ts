import type { ExperimentResults } from "@fedmkt/shared/contracts/experiment-results.ts";
import { encodeJson } from "@fedmkt/shared/contracts/json-document.ts";
import { writeExperimentMarkdown } from "@fedmkt/shared/report/experiment-markdown.ts";
import { renderExperiment } from "@fedmkt/shared/report/render-experiment.ts";
import { writeRunFile } from "../run-folder.ts";
import { collectResults } from "./collect-results.ts";
import { EXPERIMENT_FILES } from "./experiment-folder.ts";
import type { Experiment } from "./read-experiment.ts";
import type { EndedRun } from "./run-experiment.ts";

/** Writes what has ended so far as JSON, Markdown and HTML. */
export function writeResults(folder: string, experiment: Experiment, ended: readonly EndedRun[]): ExperimentResults {
  const results = collectResults(experiment, ended);
  writeRunFile(folder, EXPERIMENT_FILES.json, encodeJson(results));
  writeRunFile(folder, EXPERIMENT_FILES.markdown, writeExperimentMarkdown(results));
  writeRunFile(folder, EXPERIMENT_FILES.html, renderExperiment(results));
  return results;
}
