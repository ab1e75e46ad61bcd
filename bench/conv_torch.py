#!/usr/bin/env python3
"""PyTorch's convolutions on the CPU for bench/conv.py, by the protocol of serve.h.

Each is tried in every form, {plain, channels_last_3d} x {eager, compile}, and the fastest is kept. Threads:
OMP_NUM_THREADS.
"""
import json
import os
import re
import sys
import time

import torch
from torch.nn import functional as F

CLOCK = time.process_time if "BENCH_PROCESSOR_TIME" in os.environ else time.monotonic
ROUND_SECONDS, TRIAL_SECONDS = 0.03, 0.1
ROLES = {"forward": ("x", "w", "y"), "dx": ("y", "w", "x"), "dw": ("x", "y", "w")}
FORMS = [(layout, mode) for layout in ("plain", "channels_last_3d") for mode in ("eager", "compile")]


def drawn(tensor, shape):
    """The values of serve.c."""
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    h = (index * 0x9E3779B1 + tensor * 0x27D4EB2F) & 0xFFFFFFFF
    h ^= h >> 15
    h = (h * 0x85EBCA77) & 0xFFFFFFFF
    h ^= h >> 13
    return ((h & 255).float() / 128 - 1).view(shape)


class Problem:
    """Operands and the function of a case. Weights a sample are groups of one convolution."""

    def __init__(self, case, what):
        v = {"s": 1, "p": 0, "m": 0, "k": 3} | {letter: int(n) for letter, n in re.findall(r"([a-z])(\d+)", case)}
        out = [(v[axis] + 2 * v["p"] - v["k"]) // v["s"] + 1 for axis in "dhw"]
        groups = v["n"] if v["m"] else 1
        n = v["n"] // groups
        shapes = {"x": [n, groups * v["c"], *(v[axis] for axis in "dhw")],
                  "w": [groups * v["o"], v["c"], v["k"], v["k"], v["k"]], "y": [n, groups * v["o"], *out]}
        self.operands = {name: drawn("xwy".index(name), shape) for name, shape in shapes.items()
                         if name != ROLES[what][2]}
        self.stride, self.pad, self.groups = [v["s"]] * 3, [v["p"]] * 3, groups
        self.what, self.shapes = what, shapes

    def function(self):
        if self.what == "forward":
            return lambda x, w: F.conv3d(x, w, None, self.stride, self.pad, 1, self.groups)
        result, mask = ROLES[self.what][2], [self.what == "dx", self.what == "dw", False]
        like = torch.empty(1).expand(self.shapes[result])

        def gradient(first, second):
            tensors = dict(zip(ROLES[self.what][:2], (first, second)), **{result: like})
            return torch.ops.aten.convolution_backward(
                tensors["y"], tensors["x"], tensors["w"], None, self.stride, self.pad, [1] * 3, False, [0] * 3,
                self.groups, mask)[mask.index(True)]
        return gradient

    def form(self, layout, mode):
        memory = torch.channels_last_3d if layout == "channels_last_3d" else torch.contiguous_format
        tensors = [self.operands[name].contiguous(memory_format=memory) for name in ROLES[self.what][:2]]
        function = self.function()
        if mode == "compile":
            torch._dynamo.reset()
            function = torch.compile(function, dynamic=False)
        return lambda: function(*tensors)


def seconds_of(call, times=1):
    start = CLOCK()
    for _ in range(times):
        call()
    return (CLOCK() - start) / times


def trial(call):
    call()
    best, start = seconds_of(call), CLOCK()
    while CLOCK() - start < TRIAL_SECONDS:
        best = min(best, seconds_of(call))
    return best


class Case:
    """A case in its fastest form."""

    def __init__(self, question):
        problem = Problem(*question.split())
        self.seconds, self.how = float("inf"), ""
        for layout, mode in FORMS:
            call = problem.form(layout, mode)
            took = trial(call)
            if took < self.seconds:
                self.seconds, self.how, self.call = took, f"{layout} {mode}", call
        values = self.call().contiguous().flatten().double()
        self.check = float(values @ drawn(3, values.shape).double())
        self.norm = float(values.norm())

    def round(self):
        times = max(1, int(ROUND_SECONDS / self.seconds))
        if times > 1:
            self.call()
        return {"ms": 1000 * seconds_of(self.call, times), "how": self.how, "check": self.check, "norm": self.norm}


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count()))
    torch.set_grad_enabled(False)
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    question, case = None, None
    for line in sys.stdin:
        try:
            if line != question:
                question, case = None, None
                case, question = Case(line), line
            print(json.dumps(case.round()), flush=True)
        except (RuntimeError, ValueError, KeyError) as reason:
            print(json.dumps({"error": str(reason).splitlines()[0]}), flush=True)


main()
