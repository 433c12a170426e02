"""Times rapidfuzz at a vocabulary map, from two vocabularies in memory to the finished map, on one thread.

    vocabulary_map.py SOURCE.json TARGET.json

The rule is `reference`: the source's boundary mark is replaced by the target's, the equal string is taken, else the one at the
least Levenshtein distance in code points, ties to the lowest id. Prints one line of JSON: seconds, the thread's processor
time, peak memory, and the SHA-256 of the map's target ids and distances as little-endian int32, so that maps can be compared.
"""

import hashlib
import json
import resource
import sys
import time

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from tokenizers import Tokenizer

BLOCK = 256


def read_vocabulary(path):
    vocabulary = Tokenizer.from_file(path).get_vocab(with_added_tokens=True)
    strings = [None] * (max(vocabulary.values()) + 1)
    for string, token in vocabulary.items():
        strings[token] = string
    return strings


def boundary_mark(strings):
    metaspace, byte_level = (sum(s is not None and s.startswith(mark) for s in strings) for mark in "▁Ġ")
    if metaspace == byte_level == 0:
        return ""
    return "Ġ" if byte_level > metaspace else "▁"


def map_vocabulary(source, target):
    source_mark, target_mark = boundary_mark(source), boundary_mark(target)
    id_of = {}
    for token, string in enumerate(target):
        if string is not None:
            id_of.setdefault(string, token)
    names = list(id_of)
    ids = np.fromiter(id_of.values(), np.int32, len(names))
    rewritten = [s if s is None or source_mark == "" else s.replace(source_mark, target_mark) for s in source]
    missing = [s for s in dict.fromkeys(rewritten) if s is not None and s not in id_of]
    nearest = {}
    for at in range(0, len(missing), BLOCK):
        block = missing[at : at + BLOCK]
        distances = cdist(block, names, scorer=Levenshtein.distance, dtype=np.uint16, workers=1)
        best = distances.argmin(1)
        for string, row, column in zip(block, distances, best):
            nearest[string] = (ids[column], row[column])
    found = np.full((len(source), 2), (-1, 0), np.int32)
    for token, string in enumerate(rewritten):
        if string is not None:
            found[token] = (id_of[string], 0) if string in id_of else nearest[string]
    return found


source, target = (read_vocabulary(path) for path in sys.argv[1:3])
began, thread_began = time.perf_counter(), time.thread_time()
found = map_vocabulary(source, target)
seconds, thread_seconds = time.perf_counter() - began, time.thread_time() - thread_began
digest = hashlib.sha256(found.astype("<i4").tobytes()).hexdigest()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"seconds": seconds, "threadSeconds": thread_seconds, "peakMemoryMib": peak, "map": digest}))
