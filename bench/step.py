#!/usr/bin/env python3
"""A training step of the brain-age network, ours beside PyTorch's, asked in turn, round after round; medians.

    dev bench step [--json FILE] [--quick] [--batch N]... [--shape D,H,W]

A step is upload, forward, backward, Adam and the loss read back. PyTorch's is measured in every form, {plain,
channels_last_3d} x {eager, compile}, each in a process of its own; forms that are plainly not the best one get a single
step, before the rounds. Memory is the most that a process had resident.
"""
import argparse
import datetime
import json
import pathlib
import sys

import peers
from turns import CORE_HELP, Failed, Server, ask_in_turn, geometric_mean, median, use_one_core

HERE = pathlib.Path(__file__).resolve().parent
FORMS = [(layout, mode) for layout in ("plain", "channels_last_3d") for mode in ("eager", "compile")]
ROUNDS, FEW_ROUNDS = 7, 3
HOPELESS = 1.25  # times the best form's first step: that step is enough


def start_forms(size, threads, absent):
    """({form: server} of those that may be the best, {form: answer} of one step of all), one started after another: a
    form that is plainly not the best one is ended, so that its memory is free again."""
    servers, first = {}, {}
    command = [peers.torch_python(), HERE / "step_torch.py", *size]
    for layout, mode in FORMS:
        name = f"torch {layout} {mode}"
        try:
            servers[name] = Server([*command, layout, mode], threads)
            first[name] = servers[name].ask("step")
        except Failed as reason:
            absent[name] = str(reason)
            servers.pop(name, None)
        least = min((answer["ms"] for answer in first.values()), default=0)
        for hopeless in [known for known in servers if first[known]["ms"] > HOPELESS * least]:
            servers.pop(hopeless).close()
    return servers, first


def measure(ours, forms, first, rounds):
    """{name: answers}: rounds in turn, and the one step of forms that are not among them."""
    questions = {name: (server, "step") for name, server in {"ours": ours, **forms}.items()}
    answers = ask_in_turn(questions, rounds)
    return answers | {name: [answer] for name, answer in first.items() if name not in answers}


def make_row(size, answers):
    times = {name: median(rounds, "ms") for name, rounds in answers.items()}
    others = {name: ms for name, ms in times.items() if name != "ours"}
    best = min(others, key=others.get, default=None)
    memory = {name: rounds[-1]["resident"] for name, rounds in answers.items()}
    return {
        "name": f"brain-age/n{size[0]}", "pass": "step", "peer": best, "ours_ms": times["ours"],
        "peer_ms": others.get(best), "ratio": others[best] / times["ours"] if best else None,
        "ours_seconds_per_sample": times["ours"] / 1000 / size[0], "ours_resident": memory["ours"],
        "peer_resident": memory.get(best), "shape": size[1:], "rounds": len(answers["ours"]),
        "peers": {name: {"ms": ms, "resident": memory[name], "rounds": len(answers[name])}
                  for name, ms in others.items()},
    }


def print_row(row, batch):
    print(f"{row['name']}: ours {row['ours_ms'] / 1000 / batch:.4f} s a sample, {row['ours_resident'] / 1e6:.0f} MB")
    for name, peer in row["peers"].items():
        print(f"    {name:32} {peer['ms'] / 1000 / batch:.4f} s a sample, {peer['resident'] / 1e6:.0f} MB, "
              f"{peer['ms'] / row['ours_ms']:.2f}x{'  best' if name == row['peer'] else ''}", flush=True)


def run(batch, options, result):
    size = [batch, *options.shape]
    ours = Server([options.build / "bench_step", *size, "serve"])
    for key in ("device", "platform", "driver", "threads"):
        result[key] = ours.greeting[key]
    forms, first = {}, {}
    try:
        if not options.no_peers:
            forms, first = start_forms(size, ours.greeting["threads"], result["absent"])
    except peers.Absent as reason:
        result["absent"]["torch"] = str(reason)
    for name, server in {"ours": ours, **forms}.items():
        result["versions"][name.split()[0]] = server.greeting["version"]
    row = make_row(size, measure(ours, forms, first, FEW_ROUNDS if options.quick else ROUNDS))
    for server in (ours, *forms.values()):
        server.close()
    result["rows"].append(row)
    print_row(row, batch)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="dev bench step", description="a training step beside PyTorch's")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="results as JSON")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--batch", type=int, action="append", help="samples a step; default 4 and 1")
    parser.add_argument("--shape", type=lambda text: [int(n) for n in text.split(",")], default=[90, 120, 99],
                        metavar="D,H,W", help="voxels; default 90,120,99")
    parser.add_argument("--core", action="store_true", help=CORE_HELP)
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build" / "bench", help="built programs")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    if options.core:
        use_one_core()
    result = {"date": datetime.date.today().isoformat(), "clock": "processor" if options.core else "wall",
              "versions": {}, "absent": {}, "rows": []}
    try:
        for batch in options.batch or [4, 1]:
            run(batch, options, result)
    except Failed as reason:
        sys.exit(f"bench: {reason}")
    for name, reason in result["absent"].items():
        print(f"absent: {name}: {reason}")
    result["geomean"] = {"step": geometric_mean(row["ratio"] for row in result["rows"] if row["ratio"])}
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
