/** One message of a conversation. */
export interface ChatMessage {
  role: string;
  content: string;
}

/** A model's chat template with what belongs to it. */
export interface ChatTemplate {
  /** @param addGenerationPrompt - whether what opens the assistant's next message is written behind the last one */
  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string;
  /** the text of the model's BOS; null where it has none */
  bos: string | null;
  /** the texts of its special tokens, which the template writes between messages */
  marks: readonly string[];
}

/** A conversation as a prompt and the answer to it. */
export interface WrittenChat {
  prompt: string;
  completion: string;
  /** of the template's marks those in the prompt: everywhere they stand there they are the template's */
  marks: string[];
}

/**
 * Writes a conversation with a model's chat template. The prompt is what the template writes of all messages but the last, and opens
 * the answer with; the completion goes on to the last message's end. What the template writes after it is left out, since every party
 * ends a completion with its own EOS; so is its BOS at the very beginning.
 *
 * No message may hold one of the marks: else what somebody wrote could end a message or open one.
 *
 * @param messages - at least one; the last is the answer, and not empty
 * @returns why the conversation cannot be written so, instead
 */
export function writeChat(
  messages: readonly ChatMessage[],
  { render, bos, marks }: ChatTemplate,
): WrittenChat | { refusal: string } {
  const held = messages.findIndex(({ content }) => marks.some((mark) => content.includes(mark)));
  if (held >= 0)
    return {
      refusal: `messages[${held}]: content: expected text without special tokens of the chat template's model, got one`,
    };
  const before = render(messages.slice(0, -1), true);
  const whole = render(messages, false);
  if (!whole.startsWith(before))
    return {
      refusal:
        "the chat template writes what stands before the answer otherwise once the answer is there, so that the two cannot be told apart",
    };
  const rest = whole.slice(before.length);
  const { content } = messages[messages.length - 1];
  const found = [content, content.trim()].find((text) => rest.includes(text));
  if (found === undefined) return { refusal: "the chat template changes the answer's text" };
  const completion = rest.slice(0, rest.indexOf(found) + found.length);
  if (marks.some((mark) => completion.includes(mark)))
    return {
      refusal: "the chat template writes special tokens between the prompt and the answer, which is to be text",
    };
  const prompt = bos !== null && before.startsWith(bos) ? before.slice(bos.length) : before;
  return { prompt, completion, marks: marks.filter((mark) => prompt.includes(mark)) };
}
