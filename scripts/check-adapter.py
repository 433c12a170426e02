"""Loads an adapter in PEFT and compares its logits with those that the project's engine gave.

    node scripts/adapter-logits.ts MODEL ADAPTER > logits.json
    python scripts/check-adapter.py MODEL ADAPTER logits.json

MODEL and ADAPTER are folders. Prints the largest difference, and what the adapter itself changes; exits 1 where the
difference is over 1e-4, or where the adapter changes nothing. Needs torch, transformers and peft.
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

LARGEST = 1e-4


@torch.no_grad()
def main(model_folder, adapter_folder, logits_file):
    with open(logits_file, encoding="utf-8") as file:
        given = json.load(file)
    ids, ours = torch.tensor([given["ids"]]), torch.tensor(given["logits"])
    base = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    bare = base(input_ids=ids).logits[0]
    model = PeftModel.from_pretrained(base, adapter_folder).eval()
    theirs = model(input_ids=ids).logits[0]
    difference = (ours - theirs).abs().max().item()
    effect = (theirs - bare).abs().max().item()
    print(json.dumps({"tokens": len(given["ids"]), "largestDifference": difference, "largestEffectOfAdapter": effect}))
    return 0 if difference <= LARGEST and effect > LARGEST else 1


if len(sys.argv) != 4:
    sys.exit(__doc__)
sys.exit(main(*sys.argv[1:]))
