#!/usr/bin/env python3
"""Whether the pages of doc/ that say how to do things name what is there: files, tests, recipe keys, commands.

    tests/pages.py SOURCE

In doc/parity.md every row of the paper's checklist is there once, says how to use it, and names tests or says why there
is none. In both it and doc/reproducing.md, of what stands between backticks: a path exists; a recipe key is one of the
table in host/recipe/keys.c; a command is one of host/cli; in a row's last column a word behind a test file is a word of
that file."""
import pathlib
import re
import sys

ROWS = 68
KEY = re.compile(r"(goal|model|cohort|split|train|pretrain|evaluate|crossval)\.[a-z_0-9]+")
PATH = re.compile(r"(tests|recipes|doc|bench|host|datasets|lib)/[A-Za-z0-9_./*-]+")


class Source:
    """What there is to name."""

    def __init__(self, root):
        self.root = root
        text = (root / "host/recipe/keys.c").read_text()
        self.keys = set(re.findall(r"^    [A-Z]+\(\s*([a-z_]+\.[a-z_.]+),", text, re.M))
        self.commands = {name for file in (root / "host/cli").glob("*.c")
                         for name in re.findall(r'\.name = "([a-z -]+)"', file.read_text())}

    def file(self, path):
        return next(self.root.glob(path), None) if "*" in path else self.root / path


def ticked(text):
    return re.findall(r"`([^`]+)`", text)


def wrong_names(source, text):
    """Keys, commands and paths of a text that are not there."""
    for name in ticked(text):
        key = KEY.match(name)
        if key and key.group() not in source.keys:
            yield f"no recipe key '{key.group()}'"
        command = re.match(r"hyperfusion ([a-z-]+)( (?:make|check))?", name)
        if command and not {command.group(1), command.group(1) + (command.group(2) or "")} & source.commands:
            yield f"no command 'hyperfusion {command.group(1)}'"
        path = PATH.fullmatch(name)
        if path and not (source.file(name) or pathlib.Path()).exists():
            yield f"no file '{name}'"


def wrong_proof(source, cell):
    """Words behind a test file that it does not have."""
    text = None
    for name in ticked(cell):
        path = source.root / name
        if PATH.fullmatch(name):
            text = path.read_text() if path.is_file() else ""
        elif text is None:
            yield f"'{name}' stands behind no test file"
        elif not re.search(rf"(?<![A-Za-z0-9_-]){re.escape(name)}(?![A-Za-z0-9_-])", text):
            yield f"'{name}' is not in its test file"


def check_parity(source, text):
    seen = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or not cells[0].isdigit():
            continue
        seen.append(int(cells[0]))
        if len(cells) != 4:
            yield f"row {cells[0]}: {len(cells)} columns, expected 4"
            continue
        proofless = re.match(r"(none here|not yet)", cells[2])
        if not proofless and not PATH.search(cells[3]):
            yield f"row {cells[0]}: no test is named, and nothing says why"
        yield from (f"row {cells[0]}: {what}" for what in wrong_proof(source, cells[3]))
    if seen != list(range(1, ROWS + 1)):
        yield f"rows {seen}, expected 1 to {ROWS} in order"


def check(source, name, text):
    found = list(wrong_names(source, text))
    if name == "parity.md":
        found += check_parity(source, text)
    return [f"doc/{name}: {what}" for what in found]


def self_test(source, parity):
    """That the checks see what they are for: pages with one thing wrong."""
    lines = parity.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| 1 |"))
    row = "| 1 | a | `{}` | `tests/unit/networks.c` `{}` |"
    broken = [lines[:first] + lines[first + 1:]] + [lines[:first] + [line] + lines[first + 1:] for line in (
        row.format("model.hyper_layer", "check_counts"), row.format("hyperfusion trian", "check_counts"),
        row.format("recipes/none.yaml", "check_counts"), row.format("model.name", "check_count"),
        "| 1 | a | `model.name` | |", "| 1 | a | b |", "| 1 | a | b | `check_counts` |")]
    return [f"a broken page {i} passes" for i, page in enumerate(broken)
            if not check(source, "parity.md", "\n".join(page))]


def main():
    source = Source(pathlib.Path(sys.argv[1]))
    pages = {name: (source.root / "doc" / name).read_text() for name in ("parity.md", "reproducing.md")}
    found = [what for name, text in pages.items() for what in check(source, name, text)]
    found += self_test(source, pages["parity.md"])
    for what in found:
        print(what)
    print(f"pages: {ROWS + len(pages) - len(found)} passed, {len(found)} failed")
    return bool(found)


sys.exit(main())
