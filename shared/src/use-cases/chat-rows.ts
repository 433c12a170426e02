import { InvalidInputError } from "../core/errors.ts";
import { type Cleaning, cleanText } from "../core/samples/clean-text.ts";
import type { RawRecord } from "../core/samples/raw-record.ts";
import { type ChatMessage, type ChatTemplate, writeChat } from "../core/tasks/write-chat.ts";
import { MAX_TOKENIZER_CONFIG_BYTES, parseChatTemplateConfig } from "../formats/chat-template.ts";
import { checkMessages } from "../formats/dataset.ts";
import { readRawRows } from "../formats/raw-rows.ts";
import type { StageDependencies } from "./dependencies.ts";
import { isMissing } from "./read-optional.ts";

/** Where the template stands that is not in the file beside it. */
export const CHAT_TEMPLATE_FILE = "chat_template.jinja";
const MAX_TEMPLATE_BYTES = 1024 * 1024;

/**
 * Opens a model's chat template by its tokenizer_config.json; where the template is not in it, it is the chat_template.jinja beside.
 * @param what - whose data it is for, named in every error
 * @throws InvalidInputError `CHAT_TEMPLATE_INVALID`, `TEMPLATE_INVALID`; what reading the files throws
 */
export async function openChatTemplate(
  { material, openTemplate }: Pick<StageDependencies, "material" | "openTemplate">,
  location: string,
  what: string,
): Promise<ChatTemplate> {
  const name = `${what}: ${location}`;
  const config = parseChatTemplateConfig(await material.read(location, MAX_TOKENIZER_CONFIG_BYTES), name);
  const beside = location.replace(/[^/]*$/, CHAT_TEMPLATE_FILE);
  const source = config.template ?? decode(await readBeside(material, beside, name), `${what}: ${beside}`);
  const template = openTemplate(source, { what: `${name}: chat_template`, strict: false });
  return {
    // what transformers gives a template beside them, where nothing more is asked for
    render: (messages, addGenerationPrompt) =>
      template.render({
        ...config.names,
        ...{ messages, tools: null, documents: null, add_generation_prompt: addGenerationPrompt },
      }),
    bos: config.names.bos_token ?? "",
    marks: config.special,
  };
}

async function readBeside(material: StageDependencies["material"], beside: string, name: string): Promise<Uint8Array> {
  try {
    return await material.read(beside, MAX_TEMPLATE_BYTES);
  } catch (error) {
    // the file that was named is there: only that it lacks a template makes another one needed
    if (isMissing(error))
      throw new InvalidInputError("FILE_MISSING", `${name}: has no chat_template; ${(error as Error).message}`);
    throw error;
  }
}

function decode(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidInputError("CHAT_TEMPLATE_INVALID", `${what}: expected UTF-8, got other bytes`);
  }
}

/**
 * Conversations as prompts and answers, written by a chat template. Messages are cleaned before: the template's own text stays whole.
 *
 * @param name - the file as errors name it; each row has `messages`
 * @throws InvalidInputError `CHAT_REFUSED`, `DATASET_INVALID` naming the line; `JSONL_…`
 */
export function readChatRows(template: ChatTemplate, bytes: Uint8Array, cleaning: Cleaning, name: string): RawRecord[] {
  return Array.from(readRawRows(bytes, name, []), ({ line, place, fields }) => {
    const messages = checkMessages(
      fields.messages,
      (reason) => new InvalidInputError("DATASET_INVALID", `${place}: ${reason}`),
    );
    const cleaned = messages.map(({ role, content }): ChatMessage => ({ role, content: cleanText(content, cleaning) }));
    const refuse = (reason: string) => new InvalidInputError("CHAT_REFUSED", `${place}: ${reason}`);
    if (cleaned[cleaned.length - 1].content.trim() === "")
      throw refuse(`messages[${cleaned.length - 1}]: content: expected text, got none once characters were dropped`);
    const written = inPlace(place, () => writeChat(cleaned, template));
    if ("refusal" in written) throw refuse(written.refusal);
    return { kind: "completion", line, ...written };
  });
}

/** A template knows no rows: where it refuses one, the row is named. */
function inPlace<Result>(place: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidInputError) throw new InvalidInputError(error.code, `${place}: ${error.message}`);
    throw error;
  }
}
