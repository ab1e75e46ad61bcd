#!/usr/bin/env python3
"""The table of doc/performance.md, from a result of `dev bench conv --json`.

    bench/performance.py FILE [--write] [--page PAGE]

Prints for each layer and pass what was chosen, what it has to do, the least time for that, and the time that it took.
--write puts it into the page instead, between the two lines that mark its place; all else stays as it is.

Multiplications are counted as made: by cpu_winograd one for each point of a tile, input and output channel, tiles cut as
lib/ops/conv3d_winograd.c does; by all others those of the direct convolution. Those of tiles that reach beyond the
volume count, those of transforms do not. The limit is the larger of multiplications, two operations each, at the peak of
multiply-adds, and bytes of operands and result once, at the bandwidth; both were measured in the run of the file.
"""
import argparse
import json
import os
import pathlib
import re
import sys

from conv import PASSES, Work, letters
from turns import geometric_mean

PAGE = pathlib.Path(__file__).resolve().parent.parent / "doc" / "performance.md"
BEGIN, END = "<!-- bench/performance.py: begin -->", "<!-- bench/performance.py: end -->"
HEAD = ("layer", "pass", "chosen", "GFLOP", "made", "MB", "limit, ms", "by", "reached, ms", "of limit", "best peer",
        "ratio")


def tile_of(size):
    """(results, tiles) along one dimension: the rule of hf_winograd_tiles_of."""
    fours, twos = -(-size // 4), -(-size // 2)
    return (2, twos) if twos * 4 <= fours * 6 else (4, fours)


def blocked(channels):
    """As they lie in memory: blocks of 16."""
    return -(-channels // 16) * 16


def work_of(row):
    batch, case = re.fullmatch(r"n(\d+)(.*)", row["case"]).groups()
    return Work(row["name"].rpartition("/")[0], case, int(batch), row["pass"], None)


def winograd_multiplications(work):
    """The input gradient's results are x; both other passes cut y."""
    v = letters(work.case)
    grow = 0 if work.what == "dx" else 2 * v["p"] - v["k"] + 1
    count = v["n"] * blocked(v["c"]) * blocked(v["o"])
    for axis in "dhw":
        m, tiles = tile_of(v[axis] + grow)
        count *= (m + 2) * tiles
    return count


def multiplications(work, implementation):
    return winograd_multiplications(work) if implementation == "cpu_winograd" else work.flop // 2


class Line:
    """One row of a result, judged."""

    def __init__(self, row, peak):
        self.row = row
        self.work = work = work_of(row)
        self.made = multiplications(work, row["impl"])
        times = {"FMA": 2 * self.made / peak["gflops"] * 1e-6, "bytes": work.bytes / peak["gbs"] * 1e-6}
        self.bound = max(times, key=times.get)
        self.limit = times[self.bound]
        self.share = self.limit / row["ours_ms"]

    def cells(self):
        row = self.row
        peer, ratio = (row["peer"], f"{row['ratio']:.2f}") if row["peer"] else ("none", "")
        return (row["name"], row["pass"], row["impl"], f"{self.work.flop * 1e-9:.2f}", f"{2e-9 * self.made:.2f}",
                f"{self.work.bytes * 1e-6:.1f}", f"{self.limit:.3f}", self.bound, f"{row['ours_ms']:.3f}",
                f"{100 * self.share:.0f} %", peer, ratio)


def markdown(cells):
    return "| " + " | ".join(cells) + " |"


def head_of(result):
    peak = result["peak"]
    after = f" ({result['peak_after']['gflops']:.0f} at its end)" if "peak_after" in result else ""
    versions = ", ".join(f"{name} {version}" for name, version in result.get("versions", {}).items() if name != "ours")
    return (f"{result['device']}, {result['platform']} {result['driver']}, threads: {result['threads']}, "
            f"{result['clock']} time, {result['date']}; {peak['gflops']:.0f} GFLOP/s of multiply-adds{after} and "
            f"{peak['gbs']:.1f} GB/s measured in the same run. Peers: {versions or 'none'}.")


def text_of(mean, form):
    return "-" if mean is None else form.format(mean)


def means_of(title, lines):
    """A row of the table of means, for each pass: of the shares, and of the ratios."""
    cells = [title]
    for what in PASSES:
        mine = [line for line in lines if line.row["pass"] == what]
        share = geometric_mean(100 * line.share for line in mine)
        ratio = geometric_mean(line.row["ratio"] for line in mine if line.row["ratio"])
        cells.append(f"{text_of(share, '{:.0f} %')}, {text_of(ratio, '{:.2f}')}")
    return markdown(cells)


def table_of(result):
    lines = [Line(row, result["peak"]) for row in result["rows"]]
    text = [head_of(result), "", markdown(HEAD), "|---|---|---|" + "--:|" * 4 + "---|" + "--:|" * 2 + "---|--:|"]
    text += [markdown(line.cells()) for line in lines]
    text += ["", "Geometric means, of the limit and ratio to the best peer:", "", markdown(("rows", *PASSES)),
             "|---" * (1 + len(PASSES)) + "|",
             means_of("3x3x3, stride 1, those of the target", [line for line in lines if line.row["target"]]),
             means_of("chosen: cpu_winograd", [line for line in lines if line.row["impl"] == "cpu_winograd"]),
             means_of("chosen: any other", [line for line in lines if line.row["impl"] != "cpu_winograd"]),
             means_of("all", lines)]
    return "\n".join(text) + "\n"


def read(path):
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"performance: {path}: {error}")
    if not result.get("rows") or "peak" not in result:
        sys.exit(f"performance: {path} has no rows or no peak; `dev bench conv --json` writes both")
    return result


def write(page, text_between):
    """Replaces what is between the marks; a reader sees the old page or the new one."""
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        sys.exit(f"performance: {page} needs one line '{BEGIN}' and behind it one line '{END}'")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    part = page.with_name(f"{page.name}.{os.getpid()}")
    part.write_text(f"{before}{BEGIN}\n\n{text_between}\n{END}{after}", encoding="utf-8")
    part.replace(page)


def main():
    parser = argparse.ArgumentParser(description="the table of doc/performance.md")
    parser.add_argument("file", nargs="+", type=pathlib.Path, help="written by dev bench conv --json")
    parser.add_argument("--write", action="store_true", help="into the page, between its marks")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, help="another page")
    options = parser.parse_args()
    text = "\n".join(f"From `{os.path.relpath(path, PAGE.parent.parent)}`: {table_of(read(path))}" for path in options.file)
    if options.write:
        write(options.page, text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
