"""Runs FATE-LLM's own dtw, greedy_dynamic_matching and transform_step_logits, and tells their results and times.

    align.py CASES.json

Install beside numpy and editdistance, without the training stack that fate_llm asks for:

    PYTHON -m pip install --no-deps fate_llm==2.2.0
    PYTHON -m pip install editdistance numpy

The functions are imported from the installed package; packages above them, which import deepspeed and peft, are not run. What
they need of transformers are six tokenizer classes to compare with, and two methods: these stand here as plain list look-ups,
which cost FATE-LLM less than the real ones.

CASES.json: {"source", "target": {"strings": [...], "mark"}, "map": {string: string}, "cases": [{"source", "target": ids,
"logits", "indices": a list a source token}]}. Prints one JSON line: for each strategy "alignSeconds", "transferSeconds" (alignment
included), "alignments", "outputs".
"""

import importlib.util
import json
import sys
import time
import types


def stand_in(name, mark):
    def __init__(self, strings):
        self.strings = strings
        self.vocabulary = {string: index for index, string in enumerate(strings)}

    def convert_ids_to_tokens(self, ids):
        return [self.strings[index] for index in ids]

    return type(name, (), {"mark": mark, "__init__": __init__, "convert_ids_to_tokens": convert_ids_to_tokens})


transformers = types.ModuleType("transformers")
for name, mark in (
    ("LlamaTokenizer", "▁"),
    ("LlamaTokenizerFast", "▁"),
    ("GPTNeoXTokenizerFast", "Ġ"),
    ("GPT2TokenizerFast", "Ġ"),
    ("GPT2Tokenizer", "Ġ"),
    ("BloomTokenizerFast", "Ġ"),
):
    setattr(transformers, name, stand_in(name, mark))
transformers.tokenization_utils_base = types.SimpleNamespace(PreTrainedTokenizerBase=object)
sys.modules["transformers"] = transformers

spec = importlib.util.find_spec("fate_llm")
if spec is None:
    sys.exit("fate_llm is not installed: PYTHON -m pip install --no-deps fate_llm==2.2.0")
root = list(spec.submodule_search_locations)[0]
for package in ("", "algo", "algo/fedmkt", "algo/fedmkt/token_alignment", "algo/fedmkt/utils"):
    name = ".".join(["fate_llm", *filter(None, package.split("/"))])
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [f"{root}/{package}"]

import editdistance  # noqa: E402
from fate_llm.algo.fedmkt.token_alignment import token_align  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
tokenizers = {
    side: getattr(transformers, "LlamaTokenizerFast" if given[side]["mark"] == "▁" else "GPT2TokenizerFast")(
        given[side]["strings"]
    )
    for side in ("source", "target")
}
source, target = tokenizers["source"], tokenizers["target"]


def distance(a, b):
    return editdistance.eval(a.replace(source.mark, ""), b.replace(target.mark, ""))


def align(strategy, source_tokens, target_tokens):
    if strategy == "dtw":
        return token_align.dtw(source_tokens, target_tokens, norm_func=distance)[3]
    return token_align.greedy_dynamic_matching(target_tokens, source_tokens, target.mark, source.mark)


results = {}
for strategy, name in (("dtw", "dtw"), ("greedy-dp", "greedy_dp")):
    tokens = [
        (source.convert_ids_to_tokens(case["source"]), target.convert_ids_to_tokens(case["target"]))
        for case in given["cases"]
    ]
    began = time.perf_counter()
    alignments = [align(strategy, *pair) for pair in tokens]
    aligned = time.perf_counter()
    outputs = [
        token_align.transform_step_logits(
            target,
            source,
            target.vocabulary,
            case["target"],
            case["source"],
            case["logits"],
            case["indices"],
            given["map"],
            name,
        )
        for case in given["cases"]
    ]
    results[strategy] = {
        "alignSeconds": aligned - began,
        "transferSeconds": time.perf_counter() - aligned,
        "alignments": alignments,
        "outputs": outputs,
    }
# spans are numpy numbers
print(json.dumps(results, default=int))
