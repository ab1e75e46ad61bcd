#!/usr/bin/env python3
"""Convolutions, ours beside the peers', asked in turn, round after round; medians.

    dev bench conv [--json FILE] [--quick] [--target] [--pass PASS] [--torch] [--clblast] [NAME-FILTER]...

Work is bench/layers.tsv. Ours is what a network would run; a peer is asked for the same convolution in its best form
(the head of its program says which forms it tries) and its result is compared with ours. GFLOP/s are effective: those
of the direct convolution whatever is computed, taps in the padding included, so that shares may pass 100 %. Shares are
of what bench/peak.c measured on the device; bytes are operands and result once. ratio: the time of the best peer over
ours, above 1 ours is faster. oneDNN keeps weights in a format of its own and is timed without the way there; where
weights change with every step that way is part of the work, as it is in ours, so a second ratio counts it.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

import peers
from turns import CORE_HELP, Failed, Server, ask_in_turn, geometric_mean, median, use_one_core

HERE = pathlib.Path(__file__).resolve().parent
PASSES = ("forward", "dx", "dw")
ROUNDS, FEW_ROUNDS = 7, 3
STEADY = 0.9       # a device that does less than this share of its peak afterwards was not ours alone
BUSY = 0.5         # programs running beside, for a thread of ours
ROW_SECONDS = 4.0  # what the rounds of a row may take; slow ones get fewer rounds
TOLERANCE = 1e-3   # of the root of squares of a result, between two programs' sums over it


def letters(case):
    """{'n': 2, 'c': 16, ...} of a case."""
    numbers, letter = {}, None
    for char in case.replace("_", ""):
        if char.isalpha():
            letter = char
            numbers[letter] = 0
        else:
            numbers[letter] = 10 * numbers[letter] + int(char)
    return {"s": 1, "p": 0, "m": 0, "k": 3, **numbers}


class Work:
    """One row: a layer, a batch and a pass."""

    def __init__(self, layer, case, batch, what, kind):
        self.name, self.case, self.what, self.kind = f"{layer}/n{batch}", f"n{batch}{case}", what, kind
        v = letters(self.case)
        out = [(v[axis] + 2 * v["p"] - v["k"]) // v["s"] + 1 for axis in "dhw"]
        x, y = v["n"] * v["c"] * v["d"] * v["h"] * v["w"], v["n"] * v["o"] * out[0] * out[1] * out[2]
        w = (v["n"] if v["m"] else 1) * v["o"] * v["c"] * v["k"] ** 3
        self.flop, self.bytes = 2 * y * v["c"] * v["k"] ** 3, 4 * (x + y + w)

    def question(self):
        return f"{self.case} {self.what}"


def read_layers(path):
    work = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        layer, case, batches, passes, kind = line.split("\t")
        work += [Work(layer, case, int(batch), what, kind)
                 for batch in batches.split(",") for what in passes.split(",")]
    return work


def wanted(work, options):
    if options.quick and not options.filters and not work.name.startswith(("brain/", "diagnosis/")):
        return False
    if options.quick and work.name.endswith("/n8"):
        return False
    if options.target and work.kind != "target" or options.only and work.what != options.only:
        return False
    return not options.filters or any(text in f"{work.name} {work.what}" for text in options.filters)


# ---- measuring -------------------------------------------------------------------------------------------------------


def same(ours, theirs):
    return abs(ours["check"] - theirs["check"]) <= TOLERANCE * max(ours["norm"], theirs["norm"])


def open_case(work, servers):
    """The first answer of every program that can do it: warmed up, and compared with ours."""
    answers = {"ours": servers["ours"].ask(work.question())}
    for name in [name for name in servers if name != "ours"]:
        try:
            answers[name] = servers[name].ask(work.question())
            if not same(answers["ours"], answers[name]):
                raise Failed(f"computes something else: {answers[name]}, ours: {answers['ours']}")
        except Failed as reason:
            complain(f"{work.name} {work.what}: {name}: {reason}")
            answers.pop(name, None)
    return answers


def measure(questions, opened, most_rounds):
    """Rounds in turn, as many as ROW_SECONDS allows; what takes longer than that has been measured by opening it."""
    seconds = sum(answer["ms"] for answer in opened.values()) / 1000
    if seconds > ROW_SECONDS:
        return {name: [answer] for name, answer in opened.items()}
    rounds = max(1, min(most_rounds, int(ROW_SECONDS / max(seconds, 1e-6))))
    return ask_in_turn({name: questions[name] for name in opened}, rounds)


def measure_row(work, servers, peak, most_rounds):
    opened = open_case(work, servers)
    aside = {name: [opened.pop(name)] for name in peers.FOR_THE_RECORD & opened.keys()}  # the opening round will do
    questions = {name: (server, work.question()) for name, server in servers.items()}
    answers = measure(questions, opened, most_rounds) | aside
    times = {name: median(rounds, "ms") for name, rounds in answers.items()}
    return make_row(work, times, {name: rounds[-1]["how"] for name, rounds in answers.items()},
                    len(answers["ours"]), peak)


def make_row(work, times, how, rounds, peak):
    """times: {"ours": ms, peer: ms, ...}"""
    ours = times["ours"]
    gflops, gbs = work.flop / ours * 1e-6, work.bytes / ours * 1e-6
    others = {name: ms for name, ms in times.items() if name != "ours"}
    best = min(others.keys() - peers.UNRANKED, key=others.get, default=None)
    return {
        "name": work.name, "pass": work.what, "peer": best, "ours_ms": ours,
        "peer_ms": others.get(best), "ratio": others[best] / ours if best else None,
        "impl": how["ours"], "gflops": gflops, "gbs": gbs,
        "peak_share": gflops / peak["gflops"], "bandwidth_share": gbs / peak["gbs"],
        "peers": {name: {"ms": ms, "how": how[name]} for name, ms in others.items()},
        "rounds": rounds, "target": work.kind == "target", "case": work.case,
    }


def measure_per_sample(work, servers, most_rounds):
    """Ours with weights a sample beside ours with shared weights."""
    questions = {"each": (servers["ours"], work.question()),
                 "shared": (servers["shared"], work.question().replace("m1", ""))}
    opened = {name: server.ask(line) for name, (server, line) in questions.items()}
    answers = measure(questions, opened, most_rounds)
    each, shared = median(answers["each"], "ms"), median(answers["shared"], "ms")
    return {"name": work.name, "pass": work.what, "per_sample_ms": each, "shared_ms": shared, "ratio": each / shared,
            "impl": answers["each"][-1]["how"], "shared_impl": answers["shared"][-1]["how"], "case": work.case}


def means(rows):
    """{pass: geometric mean of the ratios}; None where no row of a pass has a peer."""
    return {what: geometric_mean(row["ratio"] for row in rows if row["pass"] == what and row["ratio"])
            for what in PASSES}


# ---- programs --------------------------------------------------------------------------------------------------------


def start_peers(device, options, absent):
    """The peers that compute on a device of this kind. absent[name]: why one is not there."""
    programs = {}
    for name, prepare in peers.convolutions(device, options).items():
        try:
            programs[name] = Server(prepare(), device["threads"])
        except (peers.Absent, Failed) as reason:
            absent[name] = str(reason)
    return programs


def measure_peak(build, device):
    done = subprocess.run([build / "peak", device["platform"], device["device"]], check=False, capture_output=True,
                          text=True)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return json.loads(done.stdout)


# ---- report ----------------------------------------------------------------------------------------------------------


def complain(text):
    print(f"bench: {text}", file=sys.stderr)


def print_head(result):
    peak = result["peak"]
    print(f"{result['device']} ({result['platform']} {result['driver']}), {result['threads']} threads, "
          f"{result['clock']} time: {peak['gflops']:.0f} GFLOP/s, {peak['gbs']:.1f} GB/s")
    if result["clock"] == "wall" and result["load"] > BUSY * result["threads"]:
        complain(f"{result['load']:.1f} programs are running beside: wall time says little, --core holds")
    for name, reason in result["absent"].items():
        print(f"absent: {name}: {reason}")


def print_row(row):
    peer = "no peer" if row["peer"] is None else (
        f"{row['peer']} {row['peer_ms']:9.3f} ms {row['ratio']:6.3f}x  [{row['peers'][row['peer']]['how']}]")
    plain = row["peers"].get(peers.PLAIN_WEIGHTS)
    if plain:
        peer += f", from plain weights {plain['ms'] / row['ours_ms']:6.3f}x"
    print(f"{row['name']:32} {row['pass']:8}{row['ours_ms']:9.3f} ms {row['gflops']:8.1f} GF/s "
          f"{100 * row['peak_share']:5.0f}% FMA {100 * row['bandwidth_share']:5.0f}% mem  {row['impl']:16} {peer}",
          flush=True)


def print_per_sample(row):
    print(f"{row['name']:32} {row['pass']:8}{row['per_sample_ms']:9.3f} ms a sample's weights, "
          f"{row['shared_ms']:9.3f} ms shared: {row['ratio']:5.2f}  {row['impl']} / {row['shared_impl']}", flush=True)


def print_means(title, values):
    print(f"{title}: " + ", ".join(f"{what} {'-' if value is None else format(value, '.2f')}"
                                   for what, value in values.items()))


def parse(arguments):
    parser = argparse.ArgumentParser(prog="dev bench conv", description="convolutions beside the peers'")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="results as JSON")
    parser.add_argument("--quick", action="store_true", help="batch 2 of the two networks, few rounds")
    parser.add_argument("--target", action="store_true", help="only the layers that targets are set on")
    parser.add_argument("--pass", dest="only", choices=PASSES, help="only this pass")
    parser.add_argument("--torch", action="store_true", help="PyTorch too")
    parser.add_argument("--clblast", action="store_true", help="im2col and CLBlast too: slow")
    parser.add_argument("--core", action="store_true", help=CORE_HELP)
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--layers", type=pathlib.Path, default=HERE / "layers.tsv", help="another list of layers")
    parser.add_argument("--device", help="as in HF_DEVICE")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build" / "bench", help="built programs")
    parser.add_argument("filters", nargs="*", metavar="NAME-FILTER", help="parts of 'LAYER/nBATCH PASS'; any will do")
    return parser.parse_args(arguments)


def save(options, result):
    """Written after every row: a run that was stopped leaves what it had."""
    result["geomean"] = means([row for row in result["rows"] if row["target"]])
    result["geomean_all"] = means(result["rows"])
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def ours(options):
    return Server([options.build / "conv_ours"] + ([options.device] if options.device else []))


def start(options, result):
    """All programs; what they are, and what the device can do, goes into the result."""
    servers = {"ours": ours(options)}
    device = servers["ours"].greeting
    result.update({key: device[key] for key in ("device", "platform", "driver", "threads")})
    result.update(clock="processor" if options.core else "wall", date=datetime.date.today().isoformat(),
                  load=os.getloadavg()[0], peak=measure_peak(options.build, device), absent={}, rows=[], per_sample=[])
    if not options.no_peers:
        servers.update(start_peers(device, options, result["absent"]))
    result["versions"] = {name: server.greeting["version"] for name, server in servers.items()}
    print_head(result)
    return servers


def run(work, options, result):
    servers, rounds = start(options, result), FEW_ROUNDS if options.quick else ROUNDS
    for item in (item for item in work if item.kind != "shared"):
        result["rows"].append(measure_row(item, servers, result["peak"], rounds))
        print_row(result["rows"][-1])
        save(options, result)
    per_sample = [item for item in work if item.kind == "shared"]
    if per_sample:
        servers["shared"] = ours(options)
    for item in per_sample:
        result["per_sample"].append(measure_per_sample(item, servers, rounds))
        print_per_sample(result["per_sample"][-1])
        save(options, result)
    result["peak_after"] = measure_peak(options.build, servers["ours"].greeting)
    for server in servers.values():
        server.close()


def print_tail(result):
    print_means("geometric mean of the ratios, 3x3x3 stride 1", result["geomean"])
    print_means("geometric mean of the ratios, all", result["geomean_all"])
    steady = result["peak_after"]["gflops"] / result["peak"]["gflops"]
    if not STEADY <= steady <= 1 / STEADY:
        complain(f"the device reached {100 * steady:.0f} % of its first peak at the end: others were using it")


def main(arguments):
    options, result = parse(arguments), {}
    if options.core:
        use_one_core()
    work = [item for item in read_layers(options.layers) if wanted(item, options)]
    if not work:
        sys.exit(f"bench: no layer of {options.layers} has {' or '.join(options.filters) or 'what is asked for'}")
    try:
        run(work, options, result)
    except Failed as reason:
        sys.exit(f"bench: {reason}")
    save(options, result)
    print_tail(result)


if __name__ == "__main__":
    main(sys.argv[1:])
