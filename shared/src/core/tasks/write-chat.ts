/** One message of a conversation. */
export interface ChatMessage {
  role: string;
  content: string;
}

/** A model's chat template with what belongs to it. */
export interface ChatTemplate {
  /** @param addGenerationPrompt - whether what opens the assistant's next message is written behind the last one */
  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string;
  /** the text of the model's BOS; empty where it has none */
  bos: string;
  /** the texts of its special tokens, which the template writes between messages */
  marks: readonly string[];
}

/** A prompt as a chat template writes it. */
export interface WrittenPrompt {
  prompt: string;
  /** of the template's marks those in the prompt: everywhere they stand there they are the template's */
  marks: string[];
}

/** A conversation as a prompt and the answer to it. */
export interface WrittenChat extends WrittenPrompt {
  completion: string;
}

/** Why a conversation cannot be written. */
export interface ChatRefusal {
  refusal: string;
}

/**
 * Writes messages that are to be answered: what the template writes of them, and opens the answer with, without BOS at the very
 * beginning.
 *
 * No message may hold one of the marks: else what somebody wrote could end a message or open one.
 */
export function writePrompt(
  messages: readonly ChatMessage[],
  { render, bos, marks }: ChatTemplate,
): WrittenPrompt | ChatRefusal {
  const refused = refuseMarks(messages, marks);
  if (refused !== null) return refused;
  const before = render(messages, true);
  const prompt = before.startsWith(bos) ? before.slice(bos.length) : before;
  return { prompt, marks: marks.filter((mark) => prompt.includes(mark)) };
}

/**
 * Writes a conversation with a model's chat template. The prompt is that of all messages but the last ({@link writePrompt}); the
 * completion goes on to the last message's end. What the template writes after it is left out, since every party ends a completion
 * with its own EOS.
 *
 * @param messages - at least one; the last is the answer, and not empty
 */
export function writeChat(messages: readonly ChatMessage[], template: ChatTemplate): WrittenChat | ChatRefusal {
  const refused = refuseMarks(messages, template.marks);
  if (refused !== null) return refused;
  const asked = messages.slice(0, -1);
  const before = template.render(asked, true);
  const whole = template.render(messages, false);
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
  if (template.marks.some((mark) => completion.includes(mark)))
    return {
      refusal: "the chat template writes special tokens between the prompt and the answer, which is to be text",
    };
  return { ...(writePrompt(asked, template) as WrittenPrompt), completion };
}

function refuseMarks(messages: readonly ChatMessage[], marks: readonly string[]): ChatRefusal | null {
  const held = messages.findIndex(({ content }) => marks.some((mark) => content.includes(mark)));
  if (held < 0) return null;
  return {
    refusal: `messages[${held}]: content: expected text without special tokens of the chat template's model, got one`,
  };
}
