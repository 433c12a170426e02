"""Answers, one line of JSON a request, how long transformers takes to continue a text greedily with its KV cache, fp32, CPU.

    generate.py FOLDER --threads N [--tuned]

A request is one line of JSON on standard input: {"prompt": [ids], "tokens": N}; the answer gives the token ids, the seconds to
the first token and the seconds of all that follow, and the peak memory so far. --tuned: see tuned_torch.py.
"""

import argparse
import json
import resource
import sys
import time

from tuned_torch import restart_tuned

restart_tuned()

import torch
import transformers
from transformers import AutoModelForCausalLM
from transformers.generation.streamers import BaseStreamer

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--tuned", action="store_true")
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
model = AutoModelForCausalLM.from_pretrained(arguments.folder, dtype=torch.float32).eval()
model.generation_config = transformers.GenerationConfig()


class Clock(BaseStreamer):
    """Hears of each token as it is generated; the prompt comes first."""

    def __init__(self):
        self.times = []

    def put(self, value):
        self.times.append(time.perf_counter())

    def end(self):
        pass


@torch.inference_mode()
def answer(prompt, tokens):
    clock = Clock()
    begun = time.perf_counter()
    sequence = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        eos_token_id=None,
        pad_token_id=0,
        use_cache=True,
        streamer=clock,
    )
    _, first, *_, last = clock.times
    return {
        "ids": sequence[0, len(prompt) :].tolist(),
        "firstSeconds": first - begun,
        "restSeconds": last - first,
        "peakMemoryMib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(answer(request["prompt"], request["tokens"])), flush=True)
