"""Writes a Llama from the Hugging Face hub's layout as GGUF files, which llama.cpp reads.

    write_gguf.py FOLDER OUT

Needs the packages numpy and gguf. Writes OUT-f32.gguf, OUT-f16.gguf and OUT-q8_0.gguf from FOLDER/model.safetensors, config.json and
tokenizer.json. As llama.cpp's own conversion: norms stay f32, and rows whose length is no multiple of 32 stay f16 in q8_0. The rows of
queries and keys are put in another order within each head, since llama.cpp turns neighbouring numbers by the position where the
hub's layout turns those of two halves.
"""

import json
import pathlib
import sys

import gguf
import numpy

TYPES = {"F32": numpy.float32, "F16": numpy.float16}
KINDS = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def read_tensors(file):
    """Every tensor as f32, by name."""
    with open(file, "rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        data = numpy.frombuffer(stream.read(), dtype=numpy.uint8)
    header.pop("__metadata__", None)
    for name, about in header.items():
        if about["dtype"] not in TYPES:
            raise SystemExit(f"{file}: {name}: expected {' or '.join(TYPES)}, got {about['dtype']}")
        begin, end = about["data_offsets"]
        numbers = data[begin:end].view(TYPES[about["dtype"]]).astype(numpy.float32)
        yield name, numbers.reshape(about["shape"])


def halves_to_pairs(weight, heads):
    """[heads × size, in]: within each head rows (0, size/2, 1, size/2 + 1, …)."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_name(name):
    ends = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    stem = name.removesuffix(".weight")
    if not stem.startswith("model.layers."):
        return f"{ends[stem]}.weight"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{ends[part]}.weight"


def add_vocabulary(writer, definition, config):
    model = definition["model"]
    special = {token["id"]: token for token in definition["added_tokens"]}
    strings = [None] * config["vocab_size"]
    for text, index in [*model["vocab"].items(), *((token["content"], index) for index, token in special.items())]:
        strings[index] = text
    has_bytes = bool(model.get("byte_fallback"))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    kinds = []
    for index, text in enumerate(strings):
        if text is None:
            strings[index] = f"[PAD{index}]"
            kinds.append(gguf.TokenType.UNUSED)
        elif has_bytes and text == model.get("unk_token"):
            kinds.append(gguf.TokenType.UNKNOWN)
        elif index in special and special[index]["special"]:
            kinds.append(gguf.TokenType.CONTROL)
        elif has_bytes and len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            kinds.append(gguf.TokenType.BYTE)
        else:
            kinds.append(gguf.TokenType.NORMAL)
    if has_bytes:
        # SentencePiece's: of two merges the one with the higher score comes first
        order = {merge.replace(" ", ""): place for place, merge in reversed(list(enumerate(merges)))}
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_scores([-float(order.get(text, len(merges))) for text in strings])
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_merges(merges)
    writer.add_token_list(strings)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(has_bytes)


def write(folder, out, kind):
    quantization, file_type = KINDS[kind]
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] != "llama" or config.get("rope_scaling"):
        raise SystemExit(f"{folder}: expected a llama without rope_scaling, got {config['model_type']}")
    heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(f"{out}-{kind}.gguf", "llama")
    writer.add_name(folder.name)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    add_vocabulary(writer, json.loads((folder / "tokenizer.json").read_text()), config)
    for name, tensor in read_tensors(folder / "model.safetensors"):
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            tensor = halves_to_pairs(tensor, key_heads if name.endswith("k_proj.weight") else heads)
        chosen = quantization if tensor.ndim == 2 else gguf.GGMLQuantizationType.F32
        if chosen == gguf.GGMLQuantizationType.Q8_0 and tensor.shape[-1] % 32:
            chosen = gguf.GGMLQuantizationType.F16
        writer.add_tensor(gguf_name(name), gguf.quants.quantize(numpy.ascontiguousarray(tensor), chosen), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


for kind in KINDS:
    write(pathlib.Path(sys.argv[1]), sys.argv[2], kind)
