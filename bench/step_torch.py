#!/usr/bin/env python3
"""The peer of bench_step: the same network and step in PyTorch on the CPU.

    step_torch.py [N D H W [STEPS]]

The hyper layers are batched (one product for all samples), which is faster than the loop of the published code.
"""
import json
import os
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class HyperLinear(nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.units = units
        self.embedding = nn.Linear(2, 1)
        self.weight = nn.Linear(1, units * inputs)
        self.bias = nn.Linear(1, units)

    def forward(self, x, tabular):
        e = self.embedding(tabular)
        w = self.weight(e).view(len(x), self.units, -1)
        return torch.bmm(w, x.unsqueeze(2)).squeeze(2) + self.bias(e)


class Network(nn.Module):
    def __init__(self, shape):
        super().__init__()
        blocks, channels = [], 1
        for i in range(3):
            out = 16 << i
            blocks += [nn.Conv3d(channels, out, 3), nn.ReLU(), nn.Conv3d(out, out, 3), nn.ReLU(), nn.MaxPool3d(2),
                       nn.BatchNorm3d(out)]
            channels, shape = out, [(n - 4) // 2 for n in shape]
        self.image = nn.Sequential(*blocks, nn.Dropout3d(0.2), nn.Flatten())
        flat = channels * shape[0] * shape[1] * shape[2]
        self.head = nn.ModuleList([HyperLinear(flat, 16), HyperLinear(16, 32), HyperLinear(32, 64), HyperLinear(64, 1)])

    def forward(self, x, tabular):
        x = self.image(x)
        for layer in self.head[:-1]:
            x = F.relu(layer(x, tabular))
        return self.head[-1](x, tabular)


def main():
    numbers = [int(a) for a in sys.argv[1:]]
    n, *shape = numbers[:4] or [4, 90, 120, 99]
    steps = numbers[4] if len(numbers) > 4 else 5
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(1)
    network = Network(shape)
    optimizer = torch.optim.Adam(network.parameters(), lr=1.5e-4, weight_decay=0.05)
    image, target = torch.randn(n, 1, *shape), torch.full((n, 1), 50.0)
    tabular = F.one_hot(torch.arange(n) % 2, 2).float()
    took = []
    for _ in range(2 + steps):
        start = time.monotonic()
        optimizer.zero_grad()
        loss = F.mse_loss(network(image, tabular), target)
        loss.backward()
        optimizer.step()
        loss.item()
        took.append(time.monotonic() - start)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "batch": n,
                      "seconds_per_sample": round(statistics.median(took[2:]) / n, 4)}))


main()
