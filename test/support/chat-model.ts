import { openTemplate } from "../../shared/src/adapters/templates/open-template.ts";
import { openChatTemplate } from "../../shared/src/use-cases/chat-rows.ts";
import { byteLevelTokenizerJson, openJson } from "./tiny-tokenizers.ts";

const MARKS = ["<|im_start|>", "<|im_end|>"];
const PIECES = ["Ġt", "Ġth", "Ġthe", "On", "Onc", "Once", "Ġa", "us", "use", "user"];

/** SmolLM2's kind, but for its system message: it refuses a conversation that does not begin with a user or a system. */
const TEMPLATE = `{% if messages[0]['role'] == 'assistant' %}{{ raise_exception('who asked?') }}{% endif %}
{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant' }}
{% endif %}`;

const json = byteLevelTokenizerJson(PIECES) as { added_tokens: { id: number }[]; model: { vocab: object } };
const first = json.added_tokens[0].id + 1;
for (const [index, content] of MARKS.entries())
  json.added_tokens.push({ ...json.added_tokens[0], id: first + index, content } as (typeof json.added_tokens)[number]);

/** tokenizer.json with ChatML's marks, which opens a text as "<|im_start|>" and ends it as "<|im_end|>". */
export const chatTokenizerJson = json;
/** What a config.json says beside it. */
export const CHAT_ROLES = { bos_token_id: first, eos_token_id: first + 1 };
/** tokenizer_config.json beside it. */
export const chatTokenizerConfig = {
  bos_token: MARKS[0],
  eos_token: MARKS[1],
  additional_special_tokens: MARKS,
  chat_template: TEMPLATE,
};

export const chatTokenizer = () => openJson(chatTokenizerJson, CHAT_ROLES);

export function chatTemplate() {
  const bytes = new TextEncoder().encode(JSON.stringify(chatTokenizerConfig));
  const material = { read: async () => bytes } as unknown as Parameters<typeof openChatTemplate>[0]["material"];
  return openChatTemplate({ material, openTemplate }, "tokenizer_config.json", "it");
}
