"""The loss of docs/method.md: labels, and knowledge of single tokens or of groups of them. In nats, summed."""

import torch

# mass that is nowhere is never quite nothing
EPSILON = 1e-6
TINY = 1e-30


def label_loss(logits, ids, positions):
    logs = torch.log_softmax(logits[positions], -1)
    return -logs.gather(1, ids[positions + 1, None]).sum()


def knowledge_loss(logits, target, partitions, temperature):
    partition, learned = target
    total = logits.new_zeros(())
    for position, entries, masses, tail in learned:
        scaled = logits[position] / temperature
        entries, masses = entries.to(logits.device), masses.to(logits.device)
        if partition < 0:
            logs = torch.log_softmax(scaled, -1)[entries]
            known = logs.exp().sum()
        else:
            group_of = partitions[partition].to(logits.device)
            groups = scaled.new_zeros(int(group_of.max()) + 1).index_add(0, group_of, torch.softmax(scaled, -1))
            logs = groups[entries].clamp(min=TINY).log()
            known = groups[entries].sum()
        rest = torch.clamp(1 - known, min=EPSILON).log()
        total = total - (masses * logs).sum() - tail.to(logits.device) * rest
    return total
