#!/usr/bin/env python3
"""Turns the kernel files and tuning.tsv into one C file, so that the library needs no files at run time.

    embed.py OUT.c DEPFILE FOLDER

Every FOLDER/*.cl becomes a row of hf_sources; lines `#include "x.h"` are replaced by that file's text. Kernel files stay
plain OpenCL C that a compiler can read alone.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"\s*$')


def expand(path, used):
    used.add(path)
    lines = []
    for line in path.read_text().splitlines():
        match = INCLUDE.match(line)
        lines += expand(path.parent / match.group(1), used) if match else [line]
    return lines


def c_array(name, text):
    data = text.encode() + b"\0"
    rows = [", ".join(map(str, data[i:i + 24])) for i in range(0, len(data), 24)]
    return f"static const char {name}[] = {{\n    " + ",\n    ".join(rows) + "\n};\n"


def tuning_rows(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            fields = line.split("\t")
            if len(fields) != 3:
                sys.exit(f"{path}:{number}: expected 3 fields separated by tabs, found {len(fields)}")
            yield "    { " + ", ".join(f'"{field.strip()}"' for field in fields) + " },\n"


def main():
    out, depfile, folder = map(pathlib.Path, sys.argv[1:4])
    used = {folder / "tuning.tsv"}
    arrays, rows = [], []
    for path in sorted(folder.glob("*.cl")):
        arrays.append(c_array(f"text_{path.stem}", "\n".join(expand(path, used)) + "\n"))
        rows.append(f'    {{ "{path.stem}", text_{path.stem} }},\n')
    out.write_text('/* Made by embed.py. */\n#include "op.h"\n\n' + "\n".join(arrays)
                   + "\nconst hf_source hf_sources[] = {\n" + "".join(rows) + "    { 0, 0 },\n};\n"
                   + "\nconst hf_tuning_row hf_tuning_rows[] = {\n" + "".join(tuning_rows(folder / "tuning.tsv"))
                   + "    { 0, 0, 0 },\n};\n")
    depfile.write_text(f"{out}: " + " ".join(str(path) for path in sorted(used)) + "\n")


main()
