"""A trainer on PyTorch, transformers and PEFT that takes the engine's place: docs/trainers.md.

    FEDMKT_TRAINER="python examples/trainers/pytorch/trainer.py"

Needs torch, transformers, peft and safetensors.
"""

import gc
import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from protocol import Failure, invalid_input, serve
from safetensors.torch import load, save
from training import Training
from transformers import AutoConfig, AutoModelForCausalLM

# the project's choice where it differs from PEFT's
USUAL_TARGETS = {"llama": ["q_proj", "k_proj", "v_proj", "o_proj"]}

state = None


class OpenModel:
    """The model that is open."""

    def __init__(self, message, attached):
        self.folder = message["folder"]
        self.device = pick_device(message["device"])
        torch.set_num_threads(message["threads"])
        torch.use_deterministic_algorithms(True)
        base = load_model(self.folder).to(self.device)
        self.config = base.config
        self.base_weights = dict(base.named_parameters())
        self.parameters = sum(p.numel() for p in base.parameters())
        self.seed, self.lora, self.is_whole = message["seed"], message["lora"], message["trainable"] == "all"
        base.requires_grad_(self.is_whole)
        self.model = add_lora(base, self.lora, self.seed, self.folder) if self.lora else base
        trained = {saved_name(n): p for n, p in self.model.named_parameters() if p.requires_grad}
        self.trained = dict(sorted(trained.items()))
        if attached:
            self.load_adapter(attached[0])
        self.model.eval()

    def load_adapter(self, data):
        refuse = lambda reason: invalid_input("ADAPTER_INVALID", f"the adapter given for {self.folder}: {reason}")
        try:
            tensors = load(data)
        except Exception as error:
            raise refuse(f"expected a safetensors file, got {error}")
        for name in sorted(set(self.trained) ^ set(tensors)):
            raise refuse(f"expected exactly the tensors of these LoRA settings, but {name} is in one of both")
        for name, parameter in self.trained.items():
            if tensors[name].shape != parameter.shape or tensors[name].dtype != torch.float32:
                raise refuse(f"tensor {name}: expected f32 of {list(parameter.shape)}, got {list(tensors[name].shape)}")
            if not torch.isfinite(tensors[name]).all():
                raise refuse(f"tensor {name}: expected finite numbers, got others")
            with torch.no_grad():
                parameter.copy_(tensors[name])

    def logits(self, samples):
        """[S, T, V] padded on the right."""
        longest = max(len(ids) for ids, _ in samples)
        ids = torch.zeros(len(samples), longest, dtype=torch.int64)
        mask = torch.zeros(len(samples), longest, dtype=torch.int64)
        for row, (tokens, _) in enumerate(samples):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return self.model(input_ids=ids.to(self.device), attention_mask=mask.to(self.device), use_cache=False).logits


def pick_device(name):
    if name == "cuda" and not torch.cuda.is_available():
        raise invalid_input("DEVICE_UNAVAILABLE", "expected a machine with a GPU, got none that PyTorch can use")
    return torch.device(name)


def load_model(folder):
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise invalid_input("MODEL_FILE_MISSING", f"{folder}: expected config.json, found none")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        kind = json.loads((path / "config.json").read_bytes()).get("model_type")
        raise invalid_input("MODEL_CONFIG_INVALID", f"{folder}/config.json: model_type {kind}: {error}")
    if not any(path.glob("*.safetensors")):
        raise invalid_input("MODEL_FILE_MISSING", f"{folder}: expected model.safetensors, found none")
    return AutoModelForCausalLM.from_pretrained(
        folder, config=config, dtype=torch.float32, attn_implementation="eager", local_files_only=True, use_safetensors=True
    )


def context_of(config):
    """BLOOM's positions have no end: its context is what it was trained on."""
    return getattr(config, "max_position_embeddings", None) or getattr(config, "seq_length", None) or 2048


def add_lora(base, lora, seed, folder):
    targets = lora["targets"]
    if targets in ("default", "peft-default"):
        targets = USUAL_TARGETS.get(base.config.model_type) if targets == "default" else None
    elif targets != "all-linear":
        known = {name.split(".")[-1] for name, module in base.named_modules() if getattr(module, "weight", None) is not None}
        for unknown in [name for name in targets if name not in known]:
            raise invalid_input("MODEL_OPTIONS_INVALID", f"{folder}: lora.targets: expected layers of it, got {unknown}")
    torch.manual_seed(seed)
    settings = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, settings)


def saved_name(name):
    """As PEFT saves it."""
    return name.replace(".default.weight", ".weight")


def open_model(_channel, message, attached):
    global state
    state = OpenModel(message, attached)
    trained = [{"name": name, "shape": list(p.shape)} for name, p in state.trained.items()]
    return (
        {
            "vocabularySize": state.config.vocab_size,
            "contextTokens": context_of(state.config),
            "parameters": state.parameters,
            "trained": trained,
        },
    )


def close_model(_channel, _message, _attached):
    global state
    state = None
    gc.collect()
    return ({},)


def read_lessons(data):
    """Samples as (ids, answer); what each learns from knowledge, or None; partitions."""
    tensors = load(data)
    lengths = tensors["lengths"].tolist()
    samples = list(zip(tensors["ids"].long().split(lengths), tensors["answer"].bool().split(lengths)))
    if "partition" not in tensors:
        return samples, [None] * len(samples), []
    aligned, kept = tensors["aligned"].tolist(), tensors["kept"].tolist()
    positions, tails = tensors["positions"].long().split(aligned), tensors["tail"].split(aligned)
    entries, masses = tensors["entries"].long().split(kept), tensors["probabilities"].split(kept)
    targets, first = [], 0
    for index, partition in enumerate(tensors["partition"].tolist()):
        last = first + aligned[index]
        learned = list(zip(positions[index].tolist(), entries[first:last], masses[first:last], tails[index]))
        targets.append(None if partition == -2 else (partition, learned))
        first = last
    return samples, targets, list(tensors.get("partitions", torch.zeros(0)).long())


def train(channel, message, attached):
    return Training(state, message, *read_lessons(attached[0])).run(channel, attached[1:])


@torch.no_grad()
def answers_of(samples):
    """Of each sample: the log-probabilities [P, V] of what follows its answer positions, and the nats of what does."""
    logits = state.logits(samples)
    for row, (tokens, answer) in enumerate(samples):
        positions = answer[1:].nonzero().flatten()
        logs = torch.log_softmax(logits[row][positions.to(logits.device)].float(), -1).cpu()
        yield logs, (-logs.double().gather(1, tokens[positions + 1, None])).sum()


def extract(_channel, message, attached):
    ids, log_probs, nats = [], [], []
    for logs, paid in answers_of(read_lessons(attached[0])[0]):
        # stable: of equals the lower id comes first
        values, order = logs.sort(dim=-1, descending=True, stable=True)
        ids.append(order[:, : message["topK"]].flatten())
        log_probs.append(values[:, : message["topK"]].flatten())
        nats.append(paid)
    found = {"topIds": torch.cat(ids).int(), "topLogProbs": torch.cat(log_probs), "nats": torch.stack(nats)}
    return {}, save(found)


def score(_channel, _message, attached):
    nats = [paid for _, paid in answers_of(read_lessons(attached[0])[0])]
    return {}, save({"nats": torch.stack(nats)})


@torch.no_grad()
def logits(_channel, _message, attached):
    samples, _, _ = read_lessons(attached[0])
    return {}, save({"logits": state.logits(samples)[0].flatten().cpu().contiguous()})


@torch.no_grad()
def generate(channel, message, attached):
    ((tokens, _),), _, _ = read_lessons(attached[0])
    random = torch.Generator().manual_seed(message["seed"])
    most = min(message["maxTokens"], context_of(state.config) - len(tokens))
    cache, given = None, tokens[None].to(state.device)
    for _ in range(most):
        made = state.model(input_ids=given, past_key_values=cache, use_cache=True)
        cache, last = made.past_key_values, made.logits[0, -1].float().cpu()
        chosen = draw(last, message, random)
        if chosen in message["stop"]:
            break
        log_prob = torch.log_softmax(last, -1)[chosen].item()
        try:
            channel.tell({"event": "token", "id": chosen, "logProb": min(0.0, log_prob)})
        except Failure:
            break
        given = torch.tensor([[chosen]], device=state.device)
    return ({},)


def draw(last, message, random):
    values, order = last.sort(dim=-1, descending=True, stable=True)
    if message["temperature"] == 0:
        return order[0].item()
    probabilities = torch.softmax(values[: message["topK"]] / message["temperature"], -1)
    if message["topP"] is not None:
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities[before < message["topP"]]
    return order[torch.multinomial(probabilities, 1, generator=random)].item()


def adapter(_channel, _message, _attached):
    return {}, save({name: p.detach().cpu().contiguous() for name, p in state.trained.items()}, {"format": "pt"})


def weights(_channel, _message, _attached):
    return {}, save({name: p.detach().cpu().contiguous() for name, p in state.base_weights.items()}, {"format": "pt"})


if __name__ == "__main__":
    serve(
        "pytorch",
        {
            "open": open_model,
            "train": train,
            "extract": extract,
            "score": score,
            "logits": logits,
            "generate": generate,
            "adapter": adapter,
            "weights": weights,
            "close": close_model,
        },
    )
