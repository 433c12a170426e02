"""Reads a packed knowledge shard with Python's own library alone. docs/shards.md says what every line is for."""
import array, bisect, collections, hashlib, json, struct, sys

LADDER, depth, gap = [], 0, 31457
while depth < 128 << 20:
    LADDER.append(depth >> 6)
    depth, gap = depth + gap, min(1 << 19, gap + (gap * gap >> 22))


def read_shard(path):
    with open(path, "rb") as file:
        metadata = json.loads(file.read(*struct.unpack("<Q", file.read(8))))["__metadata__"]
        payload = file.read()
    if metadata.get("encoding") != "packed":
        raise ValueError(f"{path}: expected a packed shard; any reader of safetensors opens a plain one")
    hashed = "".join(f"{key}={metadata[key]}\n" for key in sorted(metadata) if key != "packedHash").encode() + payload
    assert hashlib.sha256(hashed).hexdigest() == metadata["packedHash"], "the shard was changed"
    samples, leaf_bits = struct.unpack_from("<I", payload)[0], max(1, (int(metadata["vocabularySize"]) - 1).bit_length())
    stream, models = iter(payload[16 + 24 * samples :]), collections.defaultdict(lambda: (32768, 0))
    span, code = (1 << 32) - 1, int.from_bytes([next(stream) for _ in range(4)], "big")

    def learn(question, bit, memory=255):
        odds, asked = models[question]
        models[question] = odds + (((bit and 65472) + 32 - odds) * (327680 // (10 * asked + 16)) >> 15), min(asked + 1, memory)

    def ask(*question):
        nonlocal span, code
        bound = (span >> 16) * models[question][0]
        bit = int(code < bound)
        span, code = (bound, code) if bit else (span - bound, code - bound)
        while span < 1 << 24:
            span, code = span << 8, code << 8 | next(stream)
        learn(question, bit)
        return bit

    def tree(bits, *question):
        node = 1
        while not node >> bits:
            node = 2 * node + ask(*question, node)
        return node - (1 << bits)

    def number(what):
        length, value = tree(5, what), 1
        for place in reversed(range(length)):
            value = 2 * value + ask(what, length, place)
        return value - 1

    def taken(node, side):
        """Whether a token of this position stands below the left or the right child of a node."""
        child, odds = 2 * node + side, models["node", node, side][0] >> 4
        likeness = 4 if expected is None else 2 * (child in expected) + (child ^ 1 in expected)
        octave = (min(odds, 4095 - odds) + 1).bit_length() - 1
        bucket = 2 * octave + (2 * (min(odds, 4095 - odds) + 1) >> octave & 1)
        age = bisect.bisect_left((1, 2, 4, 16, 64), at - seen[child]) if child in seen else 5
        bit = ask("set", likeness, age, side, bucket if odds < 2048 else 47 - bucket)
        learn(("node", node, side), bit, 30)
        return bit

    def ids_below(node):
        if node >> leaf_bits:
            return [node - (1 << leaf_bits)]
        left = taken(node, 0)
        children = [2 * node] * left + [2 * node + 1] * (not left or taken(node, 1))
        seen.update((child, at) for child in children)
        return [id for child in children for id in ids_below(child)]

    kind = lambda rise: rise + 1 if rise < 11 else min(15, 8 + rise.bit_length())
    share = lambda code: code and (16 + (code - 1) % 16) / 32 / 2 ** ((code - 1) // 16)
    out = {name: [] for name in "answerBytes answerPositions tokenIds tokenEnds positions topIds".split()}
    out |= {name: [0] for name in "tokenOffsets positionOffsets entryOffsets".split()}
    out |= {"topLogProbs": array.array("f"), "tailMass": array.array("f")}
    out["sampleIds"] = [payload[16 + 16 * sample : 32 + 16 * sample].hex() for sample in range(samples)]
    out["lossNats"] = struct.unpack_from(f"<{samples}d", payload, 16 + 16 * samples)
    token_bytes, last_rise, last_set, seen = {}, {}, {}, {}
    for _ in range(samples):
        end, first = -1, len(out["tokenIds"])
        for _ in range(number("tokenCount")):
            out["tokenIds"].append(token := tree(leaf_bits, "token"))
            if token not in token_bytes or not ask("sameBytes"):
                token_bytes[token] = number("tokenBytes")
            out["tokenEnds"].append(end := end + token_bytes[token])
        count, position = number("positionCount"), len(out["tokenIds"]) - first - 1
        out["answerPositions"].append(count - number("promptPositions"))
        out["answerBytes"].append(number("answerBytes"))
        for position in [position := position - 1 - number("stepBack") for _ in range(count)][::-1]:
            at, tail, shift = len(out["positions"]), number("tail"), number("shift")
            deepest, token = tree(9, "deepestRung"), out["tokenIds"][first + position]
            reference, rises = last_set.get(token), {}
            expected = reference and {(id | 1 << leaf_bits) >> up for id in reference for up in range(leaf_bits + 1)}
            for id in ids_below(1):
                rises[id] = tree(6, "rise", kind(last_rise.get(id, -1)), kind((reference or {}).get(id, -1)))
                last_rise[id] = rises[id] = rises[id] + (number("furtherRise") if rises[id] == 63 else 0)
            for id in sorted(rises, key=lambda id: (-rises[id], id)):
                out["topIds"].append(id)
                out["topLogProbs"].append((0 - LADDER[deepest - rises[id]] - (-(shift + 1) // 2 if shift % 2 else shift // 2)) / 16384)
            out["tailMass"].append(share(tail) if tail < 1025 else 1 - share(tail - 1025))
            out["positions"].append(position)
            out["entryOffsets"].append(len(out["topIds"]))
            last_set[token] = rises
        out["tokenOffsets"].append(len(out["tokenIds"]))
        out["positionOffsets"].append(len(out["positions"]))
    return metadata, out


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 read_shard.py SHARD.safetensors > shard.json")
    print(json.dumps(read_shard(sys.argv[1])[1], default=list))
