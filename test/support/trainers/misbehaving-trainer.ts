import { closeSync } from "node:fs";

// A trainer that does what a trainer must not, named by its argument; otherwise it holds a model that knows nothing.
const [misbehaviour] = process.argv.slice(2);

const GREETING = { protocol: "fedmkt-trainer", version: 1, name: "misbehaving" };
const OPENED = {
  answer: "open",
  vocabularySize: 4,
  contextTokens: 8,
  parameters: 16,
  trained: [{ name: "base_model.model.a.lora_A.weight", shape: [2, 2] }],
};

function leadsGroup(): boolean {
  try {
    return process.kill(-process.pid, 0);
  } catch {
    return false;
  }
}

const say = (message: unknown) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (misbehaviour === "ends-at-once") process.exit(3);
if (misbehaviour === "never-greets") setInterval(() => {}, 1000);
else if (misbehaviour === "old-version") say({ ...GREETING, version: 0 });
else say(GREETING);

const answers: Record<string, () => void> = {
  dies: () => process.exit(9),
  "is-silent": () => {},
  "prints-text": () => process.stdout.write("loading the model…\n"),
  "says-nan": () => process.stdout.write('{"answer":"train","steps":1,"lossByEpoch":[NaN]}\n'),
  "another-answer": () => say({ answer: "weights" }),
  "another-message": () => say({ hello: true }),
  "too-long": () => process.stdout.write("x".repeat(5 * 1024 * 1024)),
  "too-much": () => say({ answer: "adapter", attached: [1e12] }),
  "no-file": () => say({ answer: "adapter" }),
  "broken-file": () => process.stdout.write(`${JSON.stringify({ answer: "adapter", attached: [3] })}\nabc`),
  "a-question": () => say({ event: "pause", step: 0 }),
  "ends-its-output": () => closeSync(1),
  "trains-less": () => say({ answer: "train", steps: 1, lossByEpoch: [2.5] }),
  group: () =>
    say({ failure: { name: "InvalidInputError", code: "SEEN", message: leadsGroup() ? "its own" : "ours" } }),
  fails: () => say({ failure: { name: "TransientError", code: "GPU_LOST", message: "the GPU is gone" } }),
  "fails-strangely": () => say({ failure: { name: "KeyError", code: "x", message: "" } }),
  environment: () => {
    const names = Object.keys(process.env).filter((name) => /^(AWS|FEDMKT)_/.test(name));
    say({ failure: { name: "InvalidInputError", code: "SEEN", message: names.join() } });
  },
};

// messages to this trainer are lines; what is attached to them is none of its business
process.stdin.on("data", (bytes) => {
  if (bytes.includes('"request":"open"')) say(OPENED);
  else if (bytes.includes('"request":"close"')) say({ answer: "close" });
  else if (bytes.includes('"request"')) answers[misbehaviour]?.();
});
process.stdin.on("end", () => {
  if (misbehaviour !== "never-ends") process.exit(0);
  setInterval(() => {}, 1000);
});
