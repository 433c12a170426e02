/** What an adapter's card tells. */
export interface AdapterCard {
  /** what `from_pretrained` should find: a hub id, or a folder's name */
  baseModel: string;
  tags: readonly string[];
  title: string;
  /** targets: last names of the adapted layers */
  lora: { rank: number; alpha: number; targets: readonly string[] };
  /** how it was trained, as the rest of a sentence */
  training: string;
}

/** README.md, an adapter's card: YAML that the hub reads, and how to load it. */
export function adapterCard({ baseModel, tags, title, lora, training }: AdapterCard): Uint8Array {
  const base = JSON.stringify(baseModel);
  const targets = [...lora.targets].sort().join(", ");
  return new TextEncoder().encode(`---
base_model: ${base}
library_name: peft
pipeline_tag: text-generation
tags:
${tags.map((tag) => `- ${tag}`).join("\n")}
---

# ${title}

A LoRA adapter (rank ${lora.rank}, α ${lora.alpha}; ${targets}), ${training}.

Base model: \`${base}\`.

Licence: that of the base model, as far as the terms of the data it was trained on allow.

## How to load

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(${base})
model = PeftModel.from_pretrained(model, "path/to/this/folder")
\`\`\`
`);
}
