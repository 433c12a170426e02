import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { openCheckpoint } from "../shared/src/engine/checkpoint.ts";
import { estimateModel } from "../shared/src/engine/memory-estimate.ts";
import { isTrained, type Measurement, type Workload, workloadCommand } from "./engine/engine-workload.ts";

const THREADS = 2;
const TOP_K = 128;
const TOKENS = 128;
const LORA = { rank: 8, alpha: 16, dropout: 0, targets: ["q_proj", "v_proj"] };

/** One line of the table: what is measured, and its arithmetic. */
interface Row {
  name: string;
  measure: () => Promise<Measurement>;
  /** floating-point operations of one step */
  operations: number;
}

/** What is to be shown: ours over the peer's, tuned. */
interface Aim {
  name: string;
  ours: string;
  peer: string;
  of: keyof Measurement;
  atMost: number;
}

/**
 * Training steps and extraction beside PyTorch + PEFT: same shapes, loss and threads, in turns and in several rounds, each in a
 * process of its own; the least time and memory of all rounds count. Beside them the share of what ONNX Runtime's own matrix
 * product reaches on this machine.
 */
export async function run(argv: string[]): Promise<object> {
  const material = process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url));
  const { values } = parseArgs({
    args: argv,
    options: {
      peer: { type: "string" },
      "peer-script": { type: "string", default: join(material, "tools/peers/lora_step.py") },
      model: { type: "string", default: process.env.FEDMKT_SMOLLM2 },
      "small-model": { type: "string", default: join(material, "models/stories260k") },
      quick: { type: "boolean", default: false },
    },
  });
  if (!values.peer || !values.model)
    throw new Error(
      "usage: npm run bench -- engine --peer PYTHON --model FOLDER [--small-model FOLDER] [--peer-script PATH] [--quick]: a Python with torch, transformers and peft, and a folder with SmolLM2-135M (or FEDMKT_SMOLLM2)",
    );
  const steps = values.quick ? 3 : 6;
  const rounds = values.quick ? 1 : 4;
  const script = resolve(values["peer-script"]);
  const folders = { large: resolve(values.model), small: resolve(values["small-model"]) };
  for (const path of [script, folders.large, folders.small])
    if (!existsSync(path)) throw new Error(`${path}: expected a file or folder, found none`);

  const peer = peerRunner(values.peer, script);
  const large = measuresOf(folders.large, peer, steps);
  const small = measuresOf(folders.small, peer, steps * 10);
  const gemm = (name: string, rows: number, inner: number, columns: number): Row => ({
    name,
    measure: () => measureApart({ kind: "gemm", rows, inner, columns, threads: THREADS, steps: 50 }),
    operations: 2 * rows * inner * columns,
  });
  const rows: Row[] = [
    gemm("product 256 × 576 × 1536", 256, 576, 1536),
    gemm("product 2048 × 2048 × 2048", 2048, 2048, 2048),
    ...large.peers("large 2 × 128", 2, 1, true),
    ...(["off", "on", "auto"] as const).map((mode) => large.step(`large 2 × 128, ${mode}`, 2, 1, mode)),
    ...large.peers("large 2 × 128, a quarter", 2, 0.25, false),
    large.step("large 2 × 128, a quarter, auto", 2, 0.25, "auto"),
    large.extraction("large 2 × 128, extraction", 2),
    ...[2, 4].flatMap((batch) => [
      ...small.peers(`small ${batch} × 128`, batch, 1, false),
      small.step(`small ${batch} × 128, auto`, batch, 1, "auto"),
    ]),
  ];

  const best = new Map<string, Measurement>();
  const keep = (name: string, { seconds, peakMemoryMib }: Measurement) => {
    const known = best.get(name);
    best.set(name, {
      seconds: Math.min(seconds, known?.seconds ?? seconds),
      peakMemoryMib: Math.min(peakMemoryMib, known?.peakMemoryMib ?? peakMemoryMib),
    });
  };
  for (let round = 0; round < rounds; round++) for (const { name, measure } of rows) keep(name, await measure());

  const reached = rows.map(({ name, operations }) => ({
    name,
    ...best.get(name)!,
    gigaflops: operations / best.get(name)!.seconds / 1e9,
  }));
  const machine = Math.max(...reached.slice(0, 2).map(({ gigaflops }) => gigaflops));
  const table = reached.map((row) => ({ ...row, shareOfProduct: row.gigaflops / machine }));
  const aims = AIMS.map((aim) => {
    const ratio = best.get(aim.ours)![aim.of] / best.get(aim.peer)![aim.of];
    return { name: aim.name, ratio, atMost: aim.atMost, met: ratio <= aim.atMost };
  });
  console.error(formatTable(table, aims));
  return { threads: THREADS, rounds, rows: table, aims };
}

const AIMS: readonly Aim[] = [
  ...(["off", "on", "auto"] as const).flatMap((mode): Aim[] => {
    const pair = { ours: `large 2 × 128, ${mode}`, peer: "large 2 × 128, peer tuned" };
    return [
      { ...pair, name: `large step, ${mode}`, of: "seconds", atMost: 0.9 },
      { ...pair, name: `large peak memory, ${mode}`, of: "peakMemoryMib", atMost: 0.5 },
    ];
  }),
  {
    name: "a quarter of the positions",
    ours: "large 2 × 128, a quarter, auto",
    peer: "large 2 × 128, a quarter, peer tuned",
    of: "seconds",
    atMost: 0.7,
  },
  {
    name: "extraction",
    ours: "large 2 × 128, extraction",
    peer: "large 2 × 128, peer tuned, extraction",
    of: "seconds",
    atMost: 0.95,
  },
  ...[2, 4].map(
    (batch): Aim => ({
      name: `small step, ${batch} × 128`,
      ours: `small ${batch} × 128, auto`,
      peer: `small ${batch} × 128, peer tuned`,
      of: "seconds",
      atMost: 0.5,
    }),
  ),
];

type PeerRunner = (folder: string, batch: number, share: number, tuned: boolean, steps: number) => Promise<PeerResult>;

interface PeerResult {
  train: Measurement;
  extraction: Measurement;
}

/** The peer measures a step and an extraction in one process. */
function peerRunner(python: string, script: string): PeerRunner {
  return async (folder, batch, share, tuned, steps) => {
    const settings = { batch, tokens: TOKENS, "top-k": TOP_K, threads: THREADS, steps, answers: share };
    const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const command = [script, folder, ...options, ...(tuned ? ["--tuned"] : [])];
    const { stdout } = await promisify(execFile)(python, command, { maxBuffer: 1 << 26 });
    const found = JSON.parse(stdout.trim().split("\n").at(-1)!);
    const of = (seconds: number): Measurement => ({ seconds, peakMemoryMib: found.peak_rss_mb });
    return { train: of(found.train_s), extraction: of(found.export_s) };
  };
}

/** The rows of one model. */
function measuresOf(folder: string, peer: PeerRunner, steps: number) {
  const { architecture } = openCheckpoint(folder);
  const operations = (batch: number, share: number) => {
    const trained = Array.from({ length: batch * TOKENS }, (_, row) => isTrained(row, share)).filter(Boolean).length;
    const headShare = trained / (batch * TOKENS);
    const settings = { lora: LORA, batch, tokens: TOKENS, checkpointing: false, headShare };
    const { forward, training } = estimateModel(architecture, settings).flopsPerToken;
    return { forward: forward * batch * TOKENS, training: training * batch * TOKENS };
  };
  const peers = (name: string, batch: number, share: number, all: boolean): Row[] =>
    (all ? [false, true] : [true]).flatMap((tuned) => {
      const kind = `${name}, peer ${tuned ? "tuned" : "as installed"}`;
      let last: PeerResult;
      const step = async () => {
        last = await peer(folder, batch, share, tuned, steps);
        return last.train;
      };
      // the peer's head runs at all positions
      const done = operations(batch, 1);
      const rows: Row[] = [{ name: kind, measure: step, operations: done.training }];
      if (all)
        rows.push({ name: `${kind}, extraction`, measure: async () => last.extraction, operations: done.forward });
      return rows;
    });
  const common = { folder, tokens: TOKENS, topK: TOP_K, threads: THREADS, steps };
  return {
    peers,
    step: (name: string, batch: number, share: number, activationCheckpointing: "off" | "on" | "auto"): Row => ({
      name,
      measure: () => measureApart({ kind: "train", ...common, batch, share, activationCheckpointing }),
      operations: operations(batch, share).training,
    }),
    extraction: (name: string, batch: number): Row => ({
      name,
      measure: () => measureApart({ kind: "extract", ...common, batch }),
      operations: operations(batch, 1).forward,
    }),
  };
}

async function measureApart(workload: Workload): Promise<Measurement> {
  const { stdout } = await promisify(execFile)(process.execPath, workloadCommand(workload));
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

function formatTable(
  rows: readonly (Measurement & { name: string; gigaflops: number; shareOfProduct: number })[],
  aims: readonly { name: string; ratio: number; atMost: number; met: boolean }[],
): string {
  const line = (cells: string[]) => cells.map((cell, at) => (at ? cell.padStart(12) : cell.padEnd(46))).join("");
  return [
    line(["", "ms", "peak MiB", "GFLOP/s", "of product"]),
    ...rows.map(({ name, seconds, peakMemoryMib, gigaflops, shareOfProduct }) =>
      line([name, (seconds * 1000).toFixed(1), String(peakMemoryMib), gigaflops.toFixed(0), shareOfProduct.toFixed(2)]),
    ),
    "",
    line(["ours / tuned peer", "ratio", "aim"]),
    ...aims.map(({ name, ratio, atMost, met }) => line([name, ratio.toFixed(2), `${met ? "≤" : "missed"} ${atMost}`])),
  ].join("\n");
}
