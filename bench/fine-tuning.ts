import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const CLI = fileURLToPath(new URL("../cli/bin/fedmkt.mjs", import.meta.url));
const QUESTIONS = "data/datasets/csqa/train_rand_split.jsonl";
const EPOCHS = 3;

/**
 * `fedmkt train` on CommonsenseQA: 400 questions are learned, the 200 after them are held out. Once from beginning to end; once
 * killed by SIGKILL at a random moment after a checkpoint, and resumed. Prints the held-out loss by epoch, accuracy before and
 * after, and whether both adapters are the same bytes.
 *
 * @param argv - `--model FOLDER` (or $FEDMKT_SMOLLM2); `--train N`, `--held-out N`
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: {
      model: { type: "string", default: process.env.FEDMKT_SMOLLM2 },
      train: { type: "string", default: "400" },
      "held-out": { type: "string", default: "200" },
    },
  });
  if (values.model === undefined) throw new Error("bench fine-tuning: expected --model FOLDER or FEDMKT_SMOLLM2");
  const material = process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url));
  const [train, heldOut] = [Number(values.train), Number(values["held-out"])];
  const questions = readFileSync(join(material, QUESTIONS), "utf8")
    .split("\n")
    .slice(0, train + heldOut)
    .map((line) => JSON.parse(line) as Question);
  const folder = mkdtempSync(join(tmpdir(), "bench-fine-tuning-"));
  const write = (name: string, lines: object[]) => {
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return join(folder, name);
  };
  try {
    const learned = write("train.jsonl", questions.slice(0, train).map(asCompletion));
    const scored = write("held-out.jsonl", questions.slice(train).map(asCompletion));
    const choices = write("choices.jsonl", questions.slice(train).map(asChoices));
    const command = (out: string) => [
      ...[CLI, "train", values.model!, "--data", learned, "--held-out", scored, "--out", out, "--json"],
      ...["--epochs", String(EPOCHS), "--batch-size", "8", "--micro-batch-size", "4", "--learning-rate", "3e-4"],
      ...["--sample-bytes", "4096", "--checkpoint-every", "5", "--threads", "2"],
    ];
    const before = await accuracy(values.model, choices);
    const whole = join(folder, "whole");
    const { heldOut: losses, steps, wallTimeMs, peakMemoryBytes } = await answer<Trained>(command(whole));
    const after = await accuracy(values.model, choices, whole);
    const broken = join(folder, "broken");
    const killedAfterMs = Math.round(wallTimeMs * (0.3 + 0.5 * Math.random()));
    await killAfter(command(broken), killedAfterMs);
    await answer([...command(broken), "--resume"]);
    return {
      train,
      heldOut,
      steps,
      trainSeconds: wallTimeMs / 1000,
      peakMemoryMib: Math.round(peakMemoryBytes / 2 ** 20),
      heldOutBitsPerByte: losses.map(({ bitsPerByte }) => bitsPerByte),
      heldOutNatsPerToken: losses.map(({ natsPerToken }) => natsPerToken),
      before,
      after,
      killedAfterMs,
      resumedToTheSameBytes: hash(whole) === hash(broken),
      adapterSha256: hash(whole),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Question {
  answerKey: string;
  question: { stem: string; choices: { label: string; text: string }[] };
}

const promptOf = ({ question }: Question) => `Question: ${question.stem}\nAnswer:`;

function asCompletion(question: Question): object {
  const { text } = question.question.choices.find(({ label }) => label === question.answerKey)!;
  return { prompt: promptOf(question), completion: ` ${text}` };
}

/** Two questions of the data name one choice twice. */
function asChoices(question: Question): object {
  const { choices } = question.question;
  const texts = [...new Set(choices.map(({ text }) => text))];
  const right = choices.find(({ label }) => label === question.answerKey)!;
  return { prompt: promptOf(question), choices: texts, answer: texts.indexOf(right.text) };
}

async function accuracy(model: string, choices: string, adapter?: string): Promise<object> {
  const { acc, acc_norm: accNorm } = await answer<{ acc: number; acc_norm: number }>([
    ...[CLI, "evaluate", model, "--data", choices, "--task", "multiple-choice", "--json", "--threads", "2"],
    ...(adapter === undefined ? [] : ["--adapter", adapter]),
  ]);
  return { acc, accNorm };
}

interface Trained {
  steps: number;
  wallTimeMs: number;
  peakMemoryBytes: number;
  heldOut: { bitsPerByte: number; natsPerToken: number }[];
}

/** Runs one command to its end. @returns the data of its envelope */
async function answer<T>(command: string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 1 << 26 });
  return (JSON.parse(stdout.trim().split("\n").at(-1)!) as { data: T }).data;
}

function killAfter(command: string[], ms: number): Promise<void> {
  const child = spawn(process.execPath, command, { stdio: "ignore" });
  setTimeout(() => child.kill("SIGKILL"), ms);
  return new Promise((resolve) => child.on("exit", () => resolve()));
}

function hash(folder: string): string {
  return createHash("sha256")
    .update(readFileSync(join(folder, "adapter_model.safetensors")))
    .digest("hex");
}
