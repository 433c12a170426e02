"""Answers, one line of JSON a request, how long transformers takes to continue texts of one length together, greedily, fp32, CPU.

    generate_batch.py FOLDER --threads N [--tuned]

A request is one line of JSON on standard input: {"prompts": [[ids], …], "tokens": N}; the answer gives the seconds and, of
each text, the new token ids, the seconds to the first of them, and to the last. The first line says that the model is there. --tuned: see tuned_torch.py.
"""

import argparse
import json
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
    """Hears of each step; the prompts come first."""

    def __init__(self):
        self.times = []

    def put(self, value):
        self.times.append(time.perf_counter())

    def end(self):
        pass


@torch.inference_mode()
def answer(prompts, tokens):
    clock = Clock()
    begun = time.perf_counter()
    ids = torch.tensor(prompts)
    sequences = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        eos_token_id=None,
        pad_token_id=0,
        use_cache=True,
        streamer=clock,
    )
    times = {"firstSeconds": clock.times[1] - begun, "seconds": time.perf_counter() - begun}
    new = sequences[:, ids.shape[1] :].tolist()
    return {"seconds": times["seconds"], "answers": [{**times, "ids": one} for one in new]}


print(json.dumps({"version": f"transformers {transformers.__version__}, torch {torch.__version__}"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(answer(request["prompts"], request["tokens"])), flush=True)
