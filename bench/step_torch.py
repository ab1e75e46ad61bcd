#!/usr/bin/env python3
"""PyTorch's training step of the brain-age network on the CPU, for bench/step.py: the same network, loss and Adam.

    step_torch.py N D H W plain|channels_last_3d eager|compile

Greets with a line of JSON and answers every line on stdin with the time of one step. The hyper layers are batched (one
product for all samples), which is faster than the loop of the published code. Threads: OMP_NUM_THREADS.
"""
import json
import os
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

CLOCK = time.process_time if "BENCH_PROCESSOR_TIME" in os.environ else time.monotonic


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


def make_step(n, shape, memory_format, mode):
    torch.manual_seed(1)
    network = Network(shape)
    image, target = torch.randn(n, 1, *shape), torch.full((n, 1), 50.0)
    tabular = F.one_hot(torch.arange(n) % 2, 2).float()
    if memory_format == "channels_last_3d":
        network = network.to(memory_format=torch.channels_last_3d)
        image = image.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.Adam(network.parameters(), lr=1.5e-4, weight_decay=0.05, fused=True)

    def loss_of(x, row, age):
        return F.mse_loss(network(x, row), age)

    if mode == "compile":
        loss_of = torch.compile(loss_of)

    def step():
        optimizer.zero_grad()
        loss = loss_of(image, tabular, target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main():
    n, *shape = (int(number) for number in sys.argv[1:5])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count()))
    step = make_step(n, shape, *sys.argv[5:7])
    for _ in range(2):
        step()
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for _ in sys.stdin:
        start = CLOCK()
        step()
        took = CLOCK() - start
        resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"ms": 1000 * took, "resident": resident}), flush=True)


main()
