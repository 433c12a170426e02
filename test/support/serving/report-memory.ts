import { BroadcastChannel, isMainThread } from "node:worker_threads";

/**
 * Loaded into a process before its program, by `--expose-gc --import`: on SIGUSR2 every thread collects its garbage, and a line on
 * standard error says what is kept, `{"keptBytes":1}`. Without that nobody knows a leak from garbage that waits.
 */
type Message = { kind: "here" } | { kind: "collect" } | { kind: "kept"; bytes: number };

const channel = new BroadcastChannel("memory");
channel.unref();
const tell = (message: Message) => channel.postMessage(message);

/** Heap and buffers of this thread. */
function keptBytes(): number {
  // buffers whose owners the first one collects are freed beside the program, at the latest by the second
  globalThis.gc!();
  globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

if (isMainThread) {
  let threads = 0;
  let answers = 0;
  let bytes = 0;
  const endOnceAllAnswered = () => {
    if (answers === threads) process.stderr.write(`${JSON.stringify({ keptBytes: bytes })}\n`);
  };
  channel.onmessage = (event) => {
    const message = event.data as Message;
    if (message.kind === "here") threads++;
    if (message.kind !== "kept") return;
    answers++;
    bytes += message.bytes;
    endOnceAllAnswered();
  };
  process.on("SIGUSR2", () => {
    answers = 0;
    bytes = keptBytes();
    tell({ kind: "collect" });
    endOnceAllAnswered();
  });
} else {
  channel.onmessage = (event) => {
    if ((event.data as Message).kind === "collect") tell({ kind: "kept", bytes: keptBytes() });
  };
  tell({ kind: "here" });
}
