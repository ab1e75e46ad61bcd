#!/usr/bin/env python3
"""The benchmark's own arithmetic, and one tiny run of each of its programs without peers.

    tests/bench.py SOURCE BUILD
"""
import contextlib
import io
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

source, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
sys.path.insert(0, str(source / "bench"))
import conv  # noqa: E402
import intervals  # noqa: E402
import turns  # noqa: E402

passed = failed = 0
PEAK = {"gflops": 100.0, "gbs": 10.0}
CASES = ("n2c3o4_d5h4w6_k3p1", "n2c2o3_d5h5w4_k3s2p1m1", "n1c4o2_d3h3w3_k1")
REFUSED = ("n1c1o1_d2h2w2_k3 forward", "n1c1o1_d4h4w4_k3 sideways", "rubbish dx", "forward", "n0c1o1_d4h4w4 dx")


def check(what, truth):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    if not truth:
        print(f"failed: {what}")


def near(a, b, scale):
    return abs(a - b) <= 1e-5 * scale


# ---- a convolution by its formula, on the operands of bench/serve.c --------------------------------------------------


def drawn(tensor, index):
    h = (index * 0x9E3779B1 + tensor * 0x27D4EB2F) & 0xFFFFFFFF
    h = ((h ^ h >> 15) * 0x85EBCA77) & 0xFFFFFFFF
    return ((h ^ h >> 13) & 255) / 128 - 1


def products(v, out):
    """The index of x, w and y of every product of a convolution."""
    k, axes = v["k"], range(3)
    for n, o, c, at, tap in itertools.product(range(v["n"]), range(v["o"]), range(v["c"]),
                                              itertools.product(*map(range, out)),
                                              itertools.product(range(k), repeat=3)):
        place = [at[a] * v["s"] - v["p"] + tap[a] for a in axes]
        if any(not 0 <= place[a] < v["dhw"[a]] for a in axes):
            continue
        x = (((n * v["c"] + c) * v["d"] + place[0]) * v["h"] + place[1]) * v["w"] + place[2]
        bank = n * v["o"] + o if v["m"] else o
        w = (((bank * v["c"] + c) * k + tap[0]) * k + tap[1]) * k + tap[2]
        y = (((n * v["o"] + o) * out[0] + at[0]) * out[1] + at[1]) * out[2] + at[2]
        yield x, w, y


def expected(case, what):
    """(check, norm) of serve.h."""
    v = conv.letters(case)
    out = [(v[axis] + 2 * v["p"] - v["k"]) // v["s"] + 1 for axis in "dhw"]
    result, values = {"dx": 0, "dw": 1, "forward": 2}[what], {}
    for index in products(v, out):
        first, second = [drawn(t, index[t]) for t in range(3) if t != result]
        values[index[result]] = values.get(index[result], 0) + first * second
    squares = sum(value ** 2 for value in values.values())
    return sum(value * drawn(3, i) for i, value in values.items()), squares ** 0.5


def test_protocol():
    server = turns.Server([build / "conv_ours"])
    check("ours greets with its device", server.greeting["device"] and server.greeting["threads"] >= 1)
    for case, what in itertools.product(CASES, conv.PASSES):
        answer, (total, norm) = server.ask(f"{case} {what}"), expected(case, what)
        check(f"{case} {what}: {answer}, expected check {total} and norm {norm}",
              answer["ms"] > 0 and near(answer["check"], total, norm) and near(answer["norm"], norm, norm))
    for question in REFUSED:
        try:
            server.ask(question)
            check(f"'{question}' is refused", False)
        except turns.Failed as reason:
            check(f"'{question}' is refused with a reason", str(reason))
    check("it goes on after a refusal", server.ask("n1c1o1_d4h4w4_k3 forward")["ms"] > 0)
    server.close()
    try:
        turns.Server([build / "there is none"])
        check("a program that is not there", False)
    except turns.Failed:
        check("a program that is not there", True)


# ---- arithmetic ------------------------------------------------------------------------------------------------------


def test_rows():
    work = conv.Work("brain/some", "c2o3_d4h4w4_k3p1", 2, "forward", "target")
    check("FLOP are those of the direct convolution", work.flop == 2 * (2 * 3 * 64) * 2 * 27)
    check("bytes are operands and result once", work.bytes == 4 * (2 * 2 * 64 + 2 * 3 * 64 + 3 * 2 * 27))
    times = {"ours": 2.0, "onednn": 5.0, "torch": 4.0, "clblast": 1.0}
    row = conv.make_row(work, times, dict.fromkeys(times, "so"), 7, PEAK)
    check("the best peer counts, and not those for the record", row["peer"] == "torch" and row["ratio"] == 2.0)
    check("shares are of the measured peaks", near(row["peak_share"], work.flop / 2e-3 / 100e9, 1))
    alone = conv.make_row(work, {"ours": 2.0}, {"ours": "so"}, 7, PEAK)
    check("without peers there is no ratio", alone["peer"] is None and alone["ratio"] is None)
    rows = [{"pass": "dx", "ratio": ratio} for ratio in (1.0, 4.0, None)]
    check("the mean is geometric", conv.means(rows) == {"forward": None, "dx": 2.0, "dw": None})
    ours = {"check": 10.0, "norm": 100.0}
    check("results that differ show", conv.same(ours, {"check": 10.05, "norm": 100.0}) and
          not conv.same(ours, {"check": 10.2, "norm": 100.0}))


def test_layers():
    work = conv.read_layers(source / "bench" / "layers.tsv")
    names = [(item.name, item.what) for item in work]
    check("no layer is listed twice", len(set(names)) == len(names))
    target = [conv.letters(item.case) for item in work if item.kind == "target"]
    check("targets are 3x3x3 layers of stride 1 and several channels",
          target and all(v["k"] == 3 and v["s"] == 1 and v["c"] > 1 for v in target))
    check("layers beside shared weights have weights a sample", all("m1" in item.case for item in work
                                                                    if item.kind == "shared"))


class Scripted:
    """A server whose answers are given."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def ask(self, _):
        self.log.append(self.name)
        return {"ms": len(self.log)}


def test_turns():
    log = []
    answers = turns.ask_in_turn({name: (Scripted(name, log), "") for name in "ab"}, 3)
    check("rounds run in turn, every second one backwards", "".join(log) == "abbaab")
    check("each answer is kept", [answer["ms"] for answer in answers["a"]] == [1, 4, 5])
    check("the median is the middle one", turns.median(answers["a"], "ms") == 4)


# ---- tables of results ------------------------------------------------------------------------------------------------


def write_run(folder, seed, version, header, rows):
    run = folder / f"split-{seed}" / f"seed-{seed}" / f"version-{version}" / "fold-0"
    run.mkdir(parents=True)
    lines = [header] + rows
    (run / "predictions-test.tsv").write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))


def test_intervals(folder):
    once = {"a": 1, "b": 1, "c": 1, "d": 1}
    ranked = {"a": (0, 0.1), "b": (1, 0.1), "c": (1, 0.7), "d": (0, 0.4)}
    check("of four pairs two are in order and one is tied", intervals.auc(ranked, once) == 2.5 / 4)
    check("a subject drawn twice counts twice", intervals.auc(ranked, {**once, "d": 2}) == 3.5 / 6)
    check("balanced accuracy is the mean of both recalls", intervals.balanced_accuracy(ranked, once) == (1 + 0.5) / 2)
    check("one class alone has no value", intervals.auc(ranked, {**once, "b": 0, "c": 0}) is None and
          intervals.balanced_accuracy(ranked, {**once, "b": 0, "c": 0}) is None)
    header = ("participant_id", "sex", "age", "predicted", "error")
    for seed in (1, 2):
        for version in (1, 2):
            rows = [(f"s{i}", "F", 20 + i, 20 + i + (4 * version - 2) * (-1) ** i, 0) for i in range(20)]
            write_run(folder / "one", seed, version, header, rows)
            write_run(folder / "two", seed, version, header, [row[:3] + (row[3] + 10,) + row[4:] for row in rows])
    one, two = intervals.read_method(folder / "one"), intervals.read_method(folder / "two")
    draws = intervals.Resamples([one, two])
    values = [draws.values(intervals.mae, study) for study in (one, two)]
    check("versions are averaged", values[0][0] == 4 and values[1][0] == 10)
    check("one version alone", intervals.mean_over_seeds(intervals.mae, intervals.read_method(folder / "one", (1,)),
                                                         draws.all) == 2)
    check("equal errors have a narrow interval", intervals.described(*values[0], 2) == "4.00 (4.00 to 4.00)")
    low, high = intervals.interval(values[1][1])
    check("unequal ones have a wide one around the value", 6 < low < 9 and 11 < high < 14)
    check("a method does not differ from itself",
          intervals.difference(values[1], values[1], 1) == "+0.0 (+0.0 to +0.0)")
    write_run(folder / "classes", 1, 1, ("participant_id", "cdr", "predicted", "p_no", "p_yes"),
              [("s1", "yes", "no", 0.75, 0.25), ("s2", "no", "no", 0.5, 0.5)])
    check("of two classes the second one's probability",
          intervals.read_method(folder / "classes") == {1: {"s1": (1, 0.25), "s2": (0, 0.5)}})


# ---- whole runs ------------------------------------------------------------------------------------------------------


def run(script, *arguments, **environment):
    done = subprocess.run([sys.executable, source / "bench" / script, "--build", build, *arguments], text=True,
                          capture_output=True, check=False, env={**os.environ, **environment})
    check(f"{script} {' '.join(map(str, arguments))}: {done.stderr}", done.returncode == 0)
    return done.stdout


def test_conv(folder):
    (folder / "layers.tsv").write_text("# two\nsmall/one\tc3o4_d5h6w7_k3p1\t2\tforward,dw\ttarget\n"
                                       "each/one\tc3o4_d5h6w7_k3p1m1\t2\tdx\tshared\n")
    text = run("conv.py", "--layers", folder / "layers.tsv", "--json", folder / "conv.json", XDG_CACHE_HOME=str(folder),
               PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1", CUDA_HOME="", CC="false")
    result = json.loads((folder / "conv.json").read_text())
    check(f"peers that cannot be had are said to be absent: {text}", "absent: onednn: cannot be fetched" in text and
          "absent: cudnn: " in text and set(result["absent"]) == {"onednn", "onednn_plain", "cudnn"})
    check("a row for each pass", [(row["name"], row["pass"]) for row in result["rows"]] ==
          [("small/one/n2", "forward"), ("small/one/n2", "dw")])
    check("a row for weights a sample, which has both times", [row["ratio"] for row in result["per_sample"]] ==
          [row["per_sample_ms"] / row["shared_ms"] for row in result["per_sample"]] != [])
    check("the device's peaks were measured", result["peak"]["gflops"] > 0 and result["peak"]["gbs"] > 0)
    check("no peer, no mean", result["geomean"] == {"forward": None, "dx": None, "dw": None})
    check("versions, date and threads are there", result["versions"]["ours"] and result["threads"] >= 1 and
          re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"]))
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            conv.main(["--layers", str(folder / "layers.tsv"), "no such layer"])
            check("a filter that fits nothing is refused", False)
        except SystemExit as reason:
            check("a filter that fits nothing is refused", "no such layer" in str(reason))


def test_step(folder):
    run("step.py", "--no-peers", "--quick", "--batch", "2", "--shape", "36,36,36", "--json", folder / "step.json")
    row = json.loads((folder / "step.json").read_text())["rows"][0]
    check("a step was timed", row["name"] == "brain-age/n2" and row["ours_ms"] > 0 and row["rounds"] == 3)
    check("memory is what the process had resident", 1e7 < row["ours_resident"] < 1e11)


def main():
    test_protocol()
    test_rows()
    test_layers()
    test_turns()
    with tempfile.TemporaryDirectory() as folder:
        test_conv(pathlib.Path(folder))
        test_step(pathlib.Path(folder))
        test_intervals(pathlib.Path(folder))
    print(f"bench: {passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
