#!/usr/bin/env python3
"""Makes goals.safetensors: losses, their gradients and metrics of goals beside numbers and classes, computed by PyTorch
and numpy in double precision straight from their definitions. tests/unit/golden_goals.c compares.

    goals.py OUT.safetensors

Survival: Cox's partial likelihood by its sets of subjects at risk, one event after the other, with the ties of Efron and of
Breslow; Harrell's concordance over all pairs. Ordinal: CORAL's binary cross-entropies; quadratic weighted kappa from its
definition."""
import json
import struct
import sys

import numpy
import torch

torch.set_default_dtype(torch.float64)


def cox(x, time, event, efron):
    terms = []
    for t in sorted(set(time[event == 1].tolist())):
        at_risk, dead = torch.exp(x[time >= t]).sum(), x[(time == t) & (event == 1)]
        for k in range(len(dead)):
            terms.append(torch.log(at_risk - (k / len(dead) * torch.exp(dead).sum() if efron else 0)))
        terms.append(-dead.sum())
    return sum(terms) / event.sum()


def concordance(x, time, event):
    pairs = right = 0
    for i in range(len(x)):
        for j in range(len(x)):
            if event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
                pairs += 1
                right += 1.0 if x[i] > x[j] else 0.5 if x[i] == x[j] else 0.0
    return right / pairs


def survival(out, name, n, times, seed):
    g = numpy.random.default_rng(seed)
    x = numpy.round(g.normal(0, 1.5, n), 2).astype(numpy.float32)
    time = (g.integers(1, times + 1, n) / 4).astype(numpy.float32)
    event = (g.uniform(0, 1, n) < 0.6).astype(numpy.float32)
    out[name + ".x"], out[name + ".truth"] = x[:, None], numpy.stack([time, event], 1)
    for loss, efron in (("cox", True), ("cox-breslow", False)):
        z = torch.tensor(x.astype(float), requires_grad=True)
        value = cox(z, torch.tensor(time.astype(float)), torch.tensor(event), efron)
        value.backward()
        out[f"{name}.{loss}"] = numpy.array([value.item()])
        out[f"{name}.{loss}.dx"] = z.grad.numpy()[:, None]
    out[name + ".c_index"] = numpy.array([concordance(x, time, event)])


def kappa(truth, taken, classes):
    found = numpy.zeros((classes, classes))
    for t, p in zip(truth, taken):
        found[t, p] += 1
    chance = numpy.outer(found.sum(1), found.sum(0)) / len(truth)
    square = numpy.subtract.outer(numpy.arange(classes), numpy.arange(classes)) ** 2
    return 1 - (square * found).sum() / (square * chance).sum()


def ordinal(out, name, n, classes, seed):
    g = numpy.random.default_rng(seed)
    f = g.normal(0, 2, (n, 1)).astype(numpy.float32)
    bias = numpy.sort(g.normal(0, 1.5, classes - 1)).astype(numpy.float32)[::-1].copy()
    truth = g.integers(0, classes, n)
    z, b = torch.tensor(f.astype(float), requires_grad=True), torch.tensor(bias.astype(float), requires_grad=True)
    above = torch.tensor(truth[:, None] > numpy.arange(classes - 1)[None, :]).to(torch.float64)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z + b, above)
    loss.backward()
    q = numpy.concatenate([numpy.ones((n, 1)), torch.sigmoid(z + b).detach().numpy(), numpy.zeros((n, 1))], 1)
    p = q[:, :-1] - q[:, 1:]
    taken = p.argmax(1)
    out[name + ".f"], out[name + ".bias"], out[name + ".truth"] = f, bias, truth[:, None].astype(numpy.float32)
    out[name + ".loss"], out[name + ".df"] = numpy.array([loss.item()]), z.grad.numpy()
    out[name + ".dbias"], out[name + ".p"] = b.grad.numpy(), p
    out[name + ".kappa"] = numpy.array([kappa(truth, taken, classes)])
    out[name + ".rank_mae"] = numpy.array([numpy.abs(truth - taken).mean()])


def write(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        raw = numpy.ascontiguousarray(value, numpy.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


made = {}
survival(made, "many_times", 24, 400, 1)
survival(made, "ties", 40, 6, 2)
survival(made, "one_time", 7, 1, 3)
ordinal(made, "three", 17, 3, 4)
ordinal(made, "five", 12, 5, 5)
ordinal(made, "two", 9, 2, 6)
write(sys.argv[1], made)
