"""One training: AdamW over epochs in micro-batches, written down and taken up between them."""

import math
import time

import torch
from losses import knowledge_loss, label_loss
from protocol import invalid_input
from safetensors.torch import load, save


class Training:
    def __init__(self, opened, message, samples, targets, partitions):
        self.model, self.opened, self.message = opened.model, opened, message
        self.samples, self.targets, self.partitions = samples, targets, partitions
        self.settings = message["training"]
        self.values = list(opened.trained.values())
        self.per_epoch = math.ceil(len(samples) / self.settings["batchSize"])
        self.steps = self.per_epoch * message["epochs"]
        self.step, self.losses, self.weighted, self.answers = 0, [], 0.0, 0
        self.optimizer = torch.optim.AdamW(
            self.values,
            betas=tuple(self.settings["betas"]),
            eps=self.settings["epsilon"],
            weight_decay=self.settings["weightDecay"],
        )

    def run(self, channel, resumed):
        if self.message["resume"] is not None:
            self.take_up(load(resumed[0]))
        try:
            self.model.train()
            while self.step < self.steps:
                channel.tell(self.take_step(channel))
        finally:
            self.model.eval()
        if not all(torch.isfinite(value).all() for value in self.values):
            raise self.diverged(f"after step {self.step} of {self.steps}: expected finite weights, got others")
        self.pause(channel)
        return ({"steps": self.steps, "lossByEpoch": self.losses},)

    def take_step(self, channel):
        """@returns the event that tells of it"""
        started = time.perf_counter()
        rate = self.rate()
        batch = self.batch()
        answers = sum(int(self.samples[index][1].sum()) for index in batch)
        aligned = sum(len(self.targets[index][1]) for index in batch if self.targets[index])
        taught = answers if self.message["knowledgeMean"] == "all" else aligned
        self.optimizer.zero_grad(set_to_none=True)
        micro, loss = self.settings.get("microBatchSize") or self.settings["batchSize"], 0.0
        for begin in range(0, len(batch), micro):
            self.pause(channel)
            # dropout of this very micro-batch, whatever came before
            torch.manual_seed((self.message["seed"] * 1_000_003 + self.step) * 10_007 + begin)
            loss += self.backward(batch[begin : begin + micro], answers, taught)
        norm = torch.nn.utils.clip_grad_norm_(self.values, self.settings["clipNorm"] or math.inf)
        if not math.isfinite(loss) or not torch.isfinite(norm):
            raise self.diverged(f"step {self.step + 1} of {self.steps}: expected a finite loss and gradient, got {loss}")
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        try:
            self.optimizer.step()
        except RuntimeError as error:  # the rate does not fit into a float
            raise self.diverged(f"step {self.step + 1} of {self.steps}: {error}")
        self.step += 1
        self.weighted, self.answers = self.weighted + loss * answers, self.answers + answers
        if self.step % self.per_epoch == 0:
            self.losses.append(self.weighted / self.answers if self.answers else 0.0)
            self.weighted, self.answers = 0.0, 0
        tokens = sum(len(self.samples[index][0]) for index in batch)
        return {
            "event": "progress",
            "step": self.step,
            "steps": self.steps,
            "loss": loss,
            "learningRate": rate,
            "tokensPerSecond": tokens / (time.perf_counter() - started),
        }

    def backward(self, indices, answers, taught):
        """λ·CE over the step's answers plus (1 − λ)·KD over the `taught` ones: this part of both, and of the gradient."""
        weight, temperature = self.message["lambda"], self.message["temperature"]
        logits = self.opened.logits([self.samples[index] for index in indices])
        loss = logits.new_zeros(())
        for row, index in enumerate(indices):
            ids, answer = self.samples[index]
            positions = answer[1:].nonzero().flatten().to(logits.device)
            if len(positions):
                loss = loss + weight / answers * label_loss(logits[row], ids.to(logits.device), positions)
            if self.targets[index] and taught:
                learned = knowledge_loss(logits[row], self.targets[index], self.partitions, temperature)
                loss = loss + (1 - weight) / taught * learned
        if loss.requires_grad:
            loss.backward()
        return loss.item()

    def batch(self):
        """The samples of the step, in an order that is each epoch's own."""
        epoch, at = divmod(self.step, self.per_epoch)
        random = torch.Generator().manual_seed(self.message["seed"] * 1_000_003 + epoch)
        order = torch.randperm(len(self.samples), generator=random).tolist()
        return order[at * self.settings["batchSize"] : (at + 1) * self.settings["batchSize"]]

    def rate(self):
        """transformers' schedules, with at least one step at the peak."""
        peak, kind = self.settings["learningRate"], self.settings["schedule"]
        warmup = min(math.ceil(self.steps * self.settings["warmupRatio"]), max(0, self.steps - 1))
        if self.step < warmup:
            return peak * self.step / max(1, warmup)
        passed = (self.step - warmup) / max(1, self.steps - warmup)
        if kind == "constant":
            return peak
        return peak * max(0.0, 1 - passed if kind == "linear" else 0.5 * (1 + math.cos(math.pi * passed)))

    def pause(self, channel):
        """Before each micro-batch and at the end: is the state wanted, and does it go on?"""
        if channel.tell({"event": "pause", "step": self.step}) == "save":
            channel.tell({"event": "state", "step": self.step}, save(self.numbers()))

    def numbers(self):
        moment = lambda name: flat([self.optimizer.state[v].get(name, torch.zeros_like(v)) for v in self.values])
        return {
            "values": flat(self.values),
            "mean": moment("exp_avg"),
            "variance": moment("exp_avg_sq"),
            "loss_by_epoch": torch.tensor(self.losses, dtype=torch.float64),
            "epoch": torch.tensor([self.weighted, self.answers], dtype=torch.float64),
        }

    def take_up(self, numbers):
        self.step = self.message["resume"]
        self.losses = numbers["loss_by_epoch"].tolist()
        self.weighted, self.answers = numbers["epoch"][0].item(), int(numbers["epoch"][1].item())
        sizes = [value.numel() for value in self.values]
        parts = zip(self.values, *(numbers[name].split(sizes) for name in ("values", "mean", "variance")))
        for value, trained, mean, variance in parts:
            with torch.no_grad():
                value.copy_(trained.view_as(value))
            if self.step:
                self.optimizer.state[value] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": mean.view_as(value).to(value.device).clone(),
                    "exp_avg_sq": variance.view_as(value).to(value.device).clone(),
                }

    def diverged(self, reason):
        return invalid_input("TRAINING_DIVERGED", f"{reason}: is the learning rate too high?")


def flat(tensors):
    return torch.cat([tensor.detach().flatten().cpu() for tensor in tensors])
