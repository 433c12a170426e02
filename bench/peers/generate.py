"""Answers, one line of JSON a request, how long transformers takes to continue a text greedily with its KV cache, fp32, CPU.

    generate.py FOLDER --threads N [--tuned]

A request is one line of JSON on standard input: {"prompt": [ids], "tokens": N}; the answer gives the token ids, the seconds to
the first token and the seconds of all that follow, and the peak memory so far. --tuned is torch at its best on an AMD host: MKL
told to take its fast path (a preloaded one-line library, built with gcc), and malloc kept from returning memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

if "--tuned" in sys.argv and "PEER_TUNED" not in os.environ:
    library = os.path.join(tempfile.mkdtemp(), "mkl_fast_path.so")
    source = b"int mkl_serv_intel_cpu_true(){return 1;}"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], input=source, check=True)
    malloc = {"MMAP_THRESHOLD_": 8 << 30, "TRIM_THRESHOLD_": 16 << 30, "TOP_PAD_": 256 << 20}
    environment = {f"MALLOC_{name}": str(size) for name, size in malloc.items()}
    os.execve(
        sys.executable,
        [sys.executable, *sys.argv],
        {**os.environ, **environment, "PEER_TUNED": "1", "LD_PRELOAD": library},
    )

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
