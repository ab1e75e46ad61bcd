"""assembly.py: what the main loop of a kernel is made of, read from disassembly.

A loop is what lies between a label and a later branch back to it. The main loop is the shortest of those that hold at
least half as many multiply-adds as any other; where there are none, the longest that holds no other loop. A kernel
without loops is its own main loop.
"""
import re

NVIDIA_LABEL = re.compile(r"^(\.L_x?_?\d+):")
NVIDIA_CODE = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?U?P[0-9T]+\s+)?([A-Z][A-Z0-9_.]*)([^;]*)")
NVIDIA_TARGET = re.compile(r"`\((\.L_x?_?\d+)\)")
AMD_LABEL = re.compile(r"^(\.?LBB\d+_\d+):")
AMD_CODE = re.compile(r"^\t([a-z][a-z0-9_]+)(.*)")
AMD_TARGET = re.compile(r"(\.?LBB\d+_\d+)")


def nvidia_functions(text):
    """Kernel name -> list of (label or None, opcode, operands) of `nvdisasm -c`."""
    functions, body = {}, None
    for line in text.splitlines():
        if line.startswith(".text."):
            body = functions.setdefault(line[len(".text."):].rstrip(":"), [])
            continue
        label = NVIDIA_LABEL.match(line)
        if label and body is not None:
            body.append((label.group(1), "", ""))
            continue
        code = NVIDIA_CODE.match(line)
        if code and body is not None and code.group(1) != "NOP":
            body.append((None, code.group(1), code.group(2)))
    return functions


def amd_functions(text):
    """The same of clang's assembly."""
    functions, body = {}, None
    for line in text.splitlines():
        start = re.match(r"^([A-Za-z_]\w*):\s*; @", line)
        if start:
            body = functions.setdefault(start.group(1), [])
            continue
        if line.startswith(".Lfunc_end"):
            body = None
        if body is None:
            continue
        label = AMD_LABEL.match(line)
        code = AMD_CODE.match(line)
        if label:
            body.append((label.group(1), "", ""))
        elif code and not line.startswith("\t."):
            body.append((None, code.group(1), code.group(2)))
    return functions


def loops(body, target):
    """(first, last) of every backward branch."""
    place, found = {}, []
    for at, (label, opcode, operands) in enumerate(body):
        if label:
            place[label] = at
        elif opcode.startswith(("BRA", "s_cbranch", "s_branch")):
            to = target.search(operands)
            if to and to.group(1) in place and any(op for _, op, _ in body[place[to.group(1)]:at]):
                found.append((place[to.group(1)], at))
    return found


def is_fma(opcode):
    return opcode.startswith(("FFMA", "HMMA", "v_fma_f32", "v_fmac_f32", "v_pk_fma_f32", "v_dual_fmac", "v_mfma"))


def opcodes_of(body, loop):
    """Opcodes from its first to its last line; of the whole body where there is no loop."""
    return [op for _, op, _ in (body[loop[0]:loop[1] + 1] if loop else body) if op]


def main_loop(body, found):
    """The main one of the loops, or None."""
    ops = {loop: opcodes_of(body, loop) for loop in found}
    fma = {loop: sum(map(is_fma, ops[loop])) for loop in found}
    if not found:
        return None
    if max(fma.values()):
        return min((loop for loop in found if 2 * fma[loop] >= max(fma.values())), key=lambda loop: len(ops[loop]))
    inner = [a for a in found if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in found)]
    return max(inner, key=lambda loop: len(ops[loop]))


def around(body, found, main):
    """Opcodes of the smallest loop that holds the main one, without it: what each of its passes adds."""
    outer = [loop for loop in found if main and loop[0] <= main[0] and main[1] <= loop[1] and loop[0] < main[0]]
    if not outer:
        return []
    first, last = min(outer, key=lambda loop: loop[1] - loop[0])
    return [op for _, op, _ in body[first:main[0]] + body[main[1] + 1:last + 1] if op]


def nvidia_width(opcode):
    for bits in ("128", "64"):
        if "." + bits in opcode:
            return int(bits)
    return 32


AMD_WIDTH = {"x2": 64, "x3": 96, "x4": 128, "b64": 64, "b96": 96, "b128": 128}


def memory(opcode):
    """(where, bits) of a memory instruction, else None; where is ldg, stg for global memory, lds, sts for local memory in
    OpenCL's sense, ldl, stl for the stack."""
    kind = opcode.split(".")[0].lower()
    if kind in ("ldg", "stg", "lds", "sts", "ldl", "stl"):
        return kind, nvidia_width(opcode)
    for prefix, where in (("global_load", "ldg"), ("global_store", "stg"), ("flat_load", "ldg"), ("flat_store", "stg"),
                          ("ds_load", "lds"), ("ds_read", "lds"), ("ds_store", "sts"), ("ds_write", "sts"),
                          ("scratch_load", "ldl"), ("buffer_load", "ldl"), ("scratch_store", "stl"),
                          ("buffer_store", "stl")):
        if opcode.startswith(prefix):
            two = 2 if "2addr" in opcode or opcode.startswith(("ds_read2", "ds_write2")) else 1
            width = next((bits for end, bits in AMD_WIDTH.items() if opcode.endswith(end)), 32)
            return where, width * two
    return None


ON_FMA = ("FFMA", "FMUL", "FADD", "IMAD")
ELSEWHERE = ("BRA", "BAR", "EXIT", "S2R", "HMMA", "BSSY", "BSYNC", "MUFU", "CALL", "RET", "DEPBAR", "I2F", "F2I")


def nvidia_pipes(ops):
    """Instructions on the multiply-add, the integer and the matrix pipe, and turns of the load-store unit, as predict.py
    uses them."""
    moves = [(memory(op), op) for op in ops]
    turns = sum(move[1] / 32 * (0.5 if move[0] == "lds" and move[1] > 32 else 1) for move, _ in moves if move)
    fma = sum(op.startswith(ON_FMA) for op in ops)
    alu = sum(not move and not op.startswith(ON_FMA + ELSEWHERE) for move, op in moves)
    return {"fma": fma, "alu": alu, "lsu": turns, "mma": sum(op.startswith("HMMA") for op in ops)}


def describe(body, target):
    """The main loop in numbers: instructions, multiply-adds, pipes, memory instructions by kind and width; and what the loop
    around it adds."""
    found = loops(body, target)
    main = main_loop(body, found)
    ops, outer = opcodes_of(body, main), around(body, found, main)
    moves = {}
    for op in ops:
        found = memory(op)
        if found:
            key = f"{found[0]}{found[1]}"
            moves[key] = moves.get(key, 0) + 1
    return {"all": sum(1 for _, op, _ in body if op), "loop": len(ops), "has_loop": bool(main),
            "fma": sum(map(is_fma, ops)), "pipes": nvidia_pipes(ops), "moves": moves,
            "around": {"loop": len(outer), "pipes": nvidia_pipes(outer)}}


def nvidia(text):
    return {name: describe(body, NVIDIA_TARGET) for name, body in nvidia_functions(text).items()}


def amd(text):
    return {name: describe(body, AMD_TARGET) for name, body in amd_functions(text).items()}
