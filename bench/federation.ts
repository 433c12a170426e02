import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runState } from "../shared/src/contracts/run-state.ts";
import { runSummary } from "../shared/src/contracts/summary.ts";
import { exchangedBytes } from "../shared/src/report/run-tables.ts";
import { scoreRows } from "../shared/src/report/table.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * A whole federation, from the command line to the published adapters, in a fresh folder: wall time, peak memory of all
 * processes, bytes exchanged, and the mean gain over the same labels without transfer on domains that only others hold.
 *
 * @param argv - the spec; the quickstart unless given
 */
export async function run([spec = at("../examples/quickstart/run.yaml")]: string[]): Promise<object> {
  const folder = mkdtempSync(join(tmpdir(), "bench-federation-"));
  try {
    const command = [at("../cli/bin/fedmkt.mjs"), "run", "--local", spec, "--out", join(folder, "run"), "--json"];
    await promisify(execFile)(process.execPath, command, { maxBuffer: 1 << 26 });
    const state = runState.parse(JSON.parse(readFileSync(join(folder, "run", "run.json"), "utf8")));
    const summary = runSummary.parse(JSON.parse(readFileSync(join(folder, "run", "summary.json"), "utf8")));
    const gains = scoreRows(summary).flatMap(({ foreign, gain }) => (foreign && gain !== null ? [gain] : []));
    return {
      run: summary.run,
      wallSeconds: (state.wallTimeMs ?? 0) / 1000,
      peakMemoryMib: state.peakMemoryBytes === null ? null : Math.round(state.peakMemoryBytes / 2 ** 20),
      exchangedMib: Math.round(exchangedBytes(summary) / 2 ** 20),
      foreignRows: gains.length,
      foreignRowsGained: gains.filter((gain) => gain > 0).length,
      meanForeignGainBitsPerByte: gains.reduce((sum, gain) => sum + gain, 0) / Math.max(1, gains.length),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
