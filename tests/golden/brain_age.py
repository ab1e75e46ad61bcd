#!/usr/bin/env python3
"""Makes brain_age.safetensors: the brain-age HyperFusion at a small size, computed by PyTorch in double precision.

    brain_age.py OUT.safetensors

Stored: inputs, initial parameters, predictions, all gradients of the first step, the losses of ten Adam steps with coupled
weight decay, and the parameters after them. Dropout is off: its random numbers are ours alone.
Parameter names and shapes are those of the networks in host/networks/.

The problem itself must be well conditioned. Adam divides by the size of each gradient, so where that is mostly rounding
even two runs of PyTorch, in single and in double precision, part ways: hence the small learning rate. And where two
voxels of a pooling window, or a value and zero, are nearly equal, rounding decides which way a gradient goes: hence the
biases of layers before a ReLU, some standard deviations from zero, and the seed, the first without such ties.
"""
import json
import struct
import sys

import numpy
import torch
from torch.nn import functional as F

N, SHAPE, STEPS = 3, (52, 44, 44), 10
TIE = 2e-6  # of a layer's root mean square
LEARNING_RATE, WEIGHT_DECAY = 2e-5, 0.05
CONVS = [("conv1_a", 1, 16), ("conv1_b", 16, 16), ("conv2_a", 16, 32), ("conv2_b", 32, 32), ("conv3_a", 32, 64),
         ("conv3_b", 64, 64)]


def flat_size():
    size = SHAPE
    for _ in range(3):
        size = tuple((n - 4) // 2 for n in size)
    return 64 * int(numpy.prod(size))


def parameters(rng):
    made = {}

    def uniform(name, shape, bound):
        value = rng.uniform(-bound, bound, shape).astype(numpy.float32)
        made[name] = torch.tensor(value.astype(numpy.float64), requires_grad=True)

    for name, c, o in CONVS:
        bound = (27 * c) ** -0.5
        uniform(f"{name}.weight", (o, c, 3, 3, 3), bound)
        uniform(f"{name}.bias", (o,), bound)
        if name.endswith("a"):  # the next operation is a ReLU
            made[f"{name}.bias"].data += torch.where(made[f"{name}.bias"] > 0, 2.0, -2.0) * 3 ** -0.5
    for i, c in enumerate((16, 32, 64), 1):
        uniform(f"batchnorm{i}.weight", (c,), 1)
        uniform(f"batchnorm{i}.bias", (c,), 1)
    for name, i, o in (("linear1", flat_size(), 16), ("linear2", 16, 32), ("linear3", 32, 64), ("final_layer", 64, 1)):
        uniform(f"{name}.embedding.weight", (1, 2), 1)
        uniform(f"{name}.embedding.bias", (1,), 1)
        uniform(f"{name}.weight_generator.weight", (o * i, 1), (3 / i) ** 0.5)
        uniform(f"{name}.weight_generator.bias", (o * i,), (1 / i) ** 0.5)
        uniform(f"{name}.bias_generator.weight", (o, 1), 1)
        uniform(f"{name}.bias_generator.bias", (o,), 1)
    return made


def hyper_linear(x, tabular, p, name, units):
    def part(which, source):
        return F.linear(source, p[f"{name}.{which}.weight"], p[f"{name}.{which}.bias"])

    embedding = part("embedding", tabular)
    weight = part("weight_generator", embedding).reshape(len(x), units, x.shape[1])
    return torch.einsum("noi,ni->no", weight, x) + part("bias_generator", embedding)


def network(image, tabular, p):
    x = image
    for i in range(3):
        for name, _, _ in CONVS[2 * i:2 * i + 2]:
            x = F.relu(F.conv3d(x, p[f"{name}.weight"], p[f"{name}.bias"]))
        x = F.max_pool3d(x, 2)
        x = F.batch_norm(x, None, None, p[f"batchnorm{i + 1}.weight"], p[f"batchnorm{i + 1}.bias"], training=True)
    x = x.flatten(1)
    for name, units in (("linear1", 16), ("linear2", 32), ("linear3", 64)):
        x = F.relu(hyper_linear(x, tabular, p, name, units))
    return hyper_linear(x, tabular, p, "final_layer", 1)


class Tie(Exception):
    pass


def refuse_ties(gap, size):
    if (gap < TIE * size.square().mean().sqrt()).any():
        raise Tie


def find_ties(image, p):
    """Raises Tie where the smallest change would turn a ReLU or a maximum."""
    x = image
    for i in range(3):
        for name, _, _ in CONVS[2 * i:2 * i + 2]:
            y = F.conv3d(x, p[f"{name}.weight"], p[f"{name}.bias"])
            x = F.relu(y)
            if name.endswith("a"):
                refuse_ties(y.abs(), y)
        windows = y.unfold(2, 2, 2).unfold(3, 2, 2).unfold(4, 2, 2).flatten(-3).sort(-1).values
        refuse_ties(torch.where(windows[..., -1] > 0, windows[..., -1] - windows[..., -2], windows[..., -1].abs()), y)
        refuse_ties(windows[..., -1].abs(), y)
        x = F.max_pool3d(x, 2)
        x = F.batch_norm(x, None, None, p[f"batchnorm{i + 1}.weight"], p[f"batchnorm{i + 1}.bias"], training=True)


def problem(seed):
    rng = numpy.random.default_rng(seed)
    image = rng.standard_normal((N, 1) + SHAPE).astype(numpy.float32)
    return image, parameters(rng)


def first_without_ties():
    for seed in range(1, 1000):
        image, p = problem(seed)
        try:
            with torch.no_grad():
                find_ties(torch.tensor(image.astype(numpy.float64)), p)
            return seed
        except Tie:
            continue
    sys.exit("no seed without ties")


def write(path, tensors):
    header, offset, parts = {}, 0, []
    for name in sorted(tensors):
        data = numpy.ascontiguousarray(tensors[name], dtype="<f4")
        header[name] = {"dtype": "F32", "shape": list(data.shape), "data_offsets": [offset, offset + data.nbytes]}
        offset += data.nbytes
        parts.append(data.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def main():
    seed = first_without_ties()
    image, p = problem(seed)
    tabular = numpy.eye(2, dtype=numpy.float32)[[0, 1, 1]]
    target = numpy.array([[1.5], [-0.5], [0.25]], dtype=numpy.float32)
    out = {"image": image, "tabular": tabular, "target": target}
    out |= {f"initial.{name}": value.detach().numpy().copy() for name, value in p.items()}
    x, t, y = (torch.tensor(a.astype(numpy.float64)) for a in (image, tabular, target))
    optimizer = torch.optim.Adam(p.values(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        prediction = network(x, t, p)
        loss = F.mse_loss(prediction, y)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out["prediction"] = prediction.detach().numpy()
            out |= {f"gradient.{name}": value.grad.numpy().copy() for name, value in p.items()}
        optimizer.step()
    out |= {f"final.{name}": value.detach().numpy() for name, value in p.items()}
    out["losses"] = numpy.array(losses)
    write(sys.argv[1], out)
    print("seed", seed, "losses", losses)


main()
