import { resolve } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { writePrompt } from "@fedmkt/shared/core/tasks/write-chat.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { openChatTemplate } from "@fedmkt/shared/use-cases/chat-rows.ts";
import { endTokens } from "@fedmkt/shared/use-cases/end-tokens.ts";
import { type GeneratedPiece, generateText } from "@fedmkt/shared/use-cases/generate-text.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { LENGTH_ARGUMENTS, readLength, readSampling, SAMPLING_ARGUMENTS } from "../model/generation-arguments.ts";
import { MODEL_ARGUMENTS, readDevice, readThreads } from "../model/model-arguments.ts";
import { LOCAL_FILES, readOnly, requireModelFolder, withLocalModel } from "../model/with-local-model.ts";

/** More than any context holds. */
const MAX_PROMPT_BYTES = 16 * 1024 * 1024;

export const command: Command = {
  meta: {
    name: "generate",
    description: "continue a text with one model, as the model was trained to read it: BOS, then the text",
  },
  args: {
    ...MODEL_ARGUMENTS,
    prompt: { type: "string", valueHint: "text", description: "what is continued; standard input unless given" },
    "prompt-file": { type: "string", valueHint: "file", description: "what is continued, as it stands in a file" },
    "chat-template": {
      type: "string",
      valueHint: "file",
      description: "a tokenizer_config.json: what is continued is a user's message, as its chat template writes it",
    },
    ...LENGTH_ARGUMENTS,
    ...SAMPLING_ARGUMENTS,
    ...JSON_ARGUMENT,
  },
  examples: [
    'fedmkt generate models/smollm2 --prompt "Gravity is" --max-tokens 64',
    "fedmkt generate models/smollm2 --adapter adapters/first --prompt-file question.txt --stop $'\\n' --json",
    "fedmkt generate models/stories --temperature 0.8 --top-p 0.9 --seed 7 < beginning.txt",
  ],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    const length = readLength("generate", args);
    const sampling = readSampling("generate", args);
    const options = { ...readOnly(context), device: readDevice(args), threads: readThreads("generate", args) };
    await requireModelFolder(options.model, args.model as string);
    const { prompt, marks } = await writtenPrompt(context, await readPrompt(context));
    const tokens: Omit<GeneratedPiece, "text">[] = [];
    let text = "";
    let firstMs = 0;
    const give = (piece: string) => {
      text += piece;
      if (args.json !== true && piece !== "") io.stdout.write(piece);
    };
    const startedMs = dependencies.clockMs();
    const end = await withLocalModel(context, options, async (open) => {
      const ends = await endTokens(LOCAL_FILES, options.model, open.tokenizer);
      const pieces = generateText(open, { prompt, marks, ...length, ...sampling, ends, signal: io.signal });
      for (;;) {
        const next = await pieces.next();
        if (next.done) {
          give(next.value.text);
          return next.value.end;
        }
        const { text: piece, ...token } = next.value;
        if (tokens.length === 0) firstMs = dependencies.clockMs();
        tokens.push(token);
        give(piece);
      }
    });
    if (args.json !== true) io.stdout.write("\n");
    // from the first token on: opening the model and reading the prompt are no generation
    const seconds = (dependencies.clockMs() - firstMs) / 1000;
    const tokensPerSecond = tokens.length < 2 || seconds <= 0 ? null : (tokens.length - 1) / seconds;
    const memory = formatBytes(process.resourceUsage().maxRSS * 1024);
    const speed = tokensPerSecond === null ? "" : `, ${tokensPerSecond.toFixed(1)} tokens/s`;
    if (args.json !== true) io.stderr.write(`${count(tokens.length, "token")}${speed}, ${memory} at most\n`);
    return {
      data: {
        prompt,
        text,
        end,
        tokens,
        tokensPerSecond,
        firstTokenMs: tokens.length === 0 ? null : firstMs - startedMs,
      },
      text: "",
    };
  },
};

/** @returns the text as it is, or as a message written by a chat template */
async function writtenPrompt(
  { args, io }: CommandContext,
  text: string,
): Promise<{ prompt: string; marks?: readonly string[] }> {
  const file = args["chat-template"] as string | undefined;
  if (file === undefined) return { prompt: text };
  const template = await openChatTemplate(LOCAL_FILES, resolve(io.cwd, file), "--chat-template");
  const written = writePrompt([{ role: "user", content: text }], template);
  if ("refusal" in written) throw new InvalidInputError("CHAT_REFUSED", `the prompt: ${written.refusal}`);
  return written;
}

async function readPrompt({ args, io }: CommandContext): Promise<string> {
  const prompt = args.prompt as string | undefined;
  const file = args["prompt-file"] as string | undefined;
  if (prompt !== undefined && file !== undefined)
    throw new InvalidInputError("BAD_ARGUMENT", "fedmkt generate: give one of --prompt and --prompt-file");
  if (prompt !== undefined) return prompt;
  const bytes =
    file === undefined
      ? await io.readInput()
      : await LOCAL_FILES.material.read(resolve(io.cwd, file), MAX_PROMPT_BYTES);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InvalidInputError("BAD_ARGUMENT", `fedmkt generate: ${file ?? "standard input"}: expected UTF-8 text`);
  }
}
