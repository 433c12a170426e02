import { parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { artefactKeys, REGISTRY_ENTRY, registryKeys } from "@fedmkt/shared/contracts/keys.ts";
import { type RunSummary, runSummary } from "@fedmkt/shared/contracts/summary.ts";
import { renderReport } from "@fedmkt/shared/report/render-report.ts";
import type { LocalRunResult } from "./dependencies.ts";
import { RUN_FILES, writeRunFile } from "./run-folder.ts";

const ADAPTER_FILES = ["adapter_model.safetensors", "adapter_config.json", "README.md"];

/**
 * Copies what a run published into its folder: the adapters, each with its registry entry when its files are there, then report.html,
 * and summary.json last.
 */
export async function downloadRun(
  { artefacts, registry, readObject }: Pick<LocalRunResult, "artefacts" | "registry" | "readObject">,
  run: string,
  folder: string,
): Promise<RunSummary> {
  const published = artefactKeys.published(run);
  const bytes = await readObject(artefacts, `${published}/${RUN_FILES.summary}`);
  const summary = parseJson(bytes, `${published}/${RUN_FILES.summary}`, runSummary);
  for (const adapter of summary.adapters) {
    for (const name of ADAPTER_FILES) {
      const file = `${adapter.folder}/${name}`;
      writeRunFile(folder, file, await readObject(artefacts, `${published}/${file}`));
    }
    const entry = await readObject(registry, registryKeys.entry(adapter.party, run));
    writeRunFile(folder, `${adapter.folder}/${REGISTRY_ENTRY}`, entry);
  }
  writeRunFile(folder, RUN_FILES.report, renderReport(summary));
  writeRunFile(folder, RUN_FILES.summary, bytes);
  return summary;
}
