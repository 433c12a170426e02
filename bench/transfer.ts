import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DOMAIN_NAMES, drawSamples, readDomains, writeDraw } from "./experiments/texts.ts";
import { CHOICES, cellName, cellSpec, grid, PAIRS, type Pair } from "./transfer/grid.ts";
import { likeGrainModels, type Models } from "./transfer/like-grain.ts";
import { CellResults, runCell } from "./transfer/results.ts";
import { contrasts, type Finished, formatContrasts, formatTable, tableRows } from "./transfer/table.ts";

/**
 * What the choices of the method do: `group` against `token` targets, `product` against `min-edit` maps, beside the same labels
 * without transfer, on two pairs of models, over several seeds. A coarse server (105 characters) with finer clients (512 tokens),
 * and models of like grain that are made here. What has ended is kept in the cache's folder, and not run again.
 *
 * @param argv - `--cache FOLDER`; `--seeds N`: 1 to N; `--pair coarse-fine|like-grain`; `--rounds N`; `--held-out N`,
 *   `--public N`, `--private N`: samples of each domain; `--only-table`: of what has ended, without running more
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: {
      cache: { type: "string", default: fileURLToPath(new URL("../.cache/transfer", import.meta.url)) },
      seeds: { type: "string", default: "5" },
      pair: { type: "string" },
      rounds: { type: "string", default: "4" },
      "held-out": { type: "string", default: "60" },
      public: { type: "string", default: "50" },
      private: { type: "string", default: "200" },
      "only-table": { type: "boolean", default: false },
    },
  });
  const pairs = values.pair === undefined ? PAIRS : PAIRS.filter((pair) => pair === values.pair);
  if (pairs.length === 0) throw new Error(`--pair: expected one of ${PAIRS.join(", ")}, got ${values.pair}`);
  const material = process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url));
  const counts = {
    heldOut: Number(values["held-out"]),
    publicOfEachDomain: Number(values.public),
    private: Number(values.private),
  };
  const rounds = Number(values.rounds);
  const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);

  const texts = await readDomains(material);
  const modelsOf = new Map<Pair, Models>();
  for (const pair of pairs)
    modelsOf.set(
      pair,
      pair === "like-grain" ? await likeGrainModels(join(values.cache, "models"), texts) : materialModels(material),
    );
  const results = new CellResults(join(values.cache, "runs"));
  const finished: Finished[] = [];
  let seconds = 0;
  for (const cell of grid(pairs, seeds)) {
    const draw = drawSamples(texts, cell.seed, counts);
    const folder = join(values.cache, "data", [cell.pair, cell.seed, ...Object.values(counts)].join("-"));
    const spec = cellSpec(cell, rounds, modelsOf.get(cell.pair)!, writeDraw(folder, draw));
    if (results.find(spec) === null && !values["only-table"]) {
      const begin = performance.now();
      const summary = await runCell(spec);
      results.keep(spec, summary, (performance.now() - begin) / 1000);
      process.stdout.write(`${cellName(cell)}: ${((performance.now() - begin) / 1000).toFixed(0)} s\n`);
    }
    const result = results.find(spec);
    if (result === null) continue;
    finished.push({ ...cell, summary: result.summary });
    seconds += result.seconds;
  }
  const rows = tableRows(finished);
  const compared = contrasts(finished);
  process.stdout.write(`\n${formatTable(rows)}\n\n${formatContrasts(compared)}\n`);
  return {
    rounds,
    ...counts,
    runs: finished.length,
    of: pairs.length * CHOICES.length * seeds.length,
    seconds,
    rows,
    contrasts: compared,
  };
}

/** BabyLlama's 105 characters as server, stories260k's 512 SentencePiece tokens as every client. */
function materialModels(material: string): Models {
  const clients = DOMAIN_NAMES.map((domain) => [domain, join(material, "models/stories260k")]);
  return { ...Object.fromEntries(clients), server: join(material, "models/babyllama105") } as Models;
}
