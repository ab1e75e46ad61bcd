#!/usr/bin/env python3
"""Compares the volume reader with nibabel: shape, orientation, affine and scaled voxels; and preprocessing with NumPy.

usage: volumes.py DUMP [--count N] [FILE...]

DUMP is the program built from volume_dump.c. Four sets are compared: random valid NIfTI files (every type, byte
order, version, scaling and orientation), single-byte mutants of such headers, random .npy files, and the real files
named, or those found under the folder in HF_OASIS. A mutant that both sides read must be read alike, and one that
nibabel refuses must be refused here. Where this reader is stricter on purpose, nothing is compared.

Preprocessing is written here a second time, from doc/preprocessing.md alone, and compared on random volumes and grids.

nibabel is only an oracle; without it the comparison is skipped."""
import argparse
import glob
import gzip
import io
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import nibabel
    import numpy
except ImportError:
    print("volumes: 0 passed, 0 failed, 1 skipped (nibabel or numpy is not installed)")
    sys.exit(0)

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
BATCH = 100  # files per run of the dump program
MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}


def dump(program, paths):
    """What the reader says of each file: (shape, axes, affine, voxels) or its error line."""
    out = io.BytesIO(subprocess.run([program, *paths], check=True, stdout=subprocess.PIPE).stdout)
    results = []
    for _ in paths:
        line = out.readline().decode(errors="replace")
        word = line.split()
        if word[0] != "ok":
            results.append(line.strip())
            continue
        shape = tuple(int(n) for n in word[1:4])
        affine = numpy.array([float(x) for x in word[5:]]).reshape(3, 4)
        voxels = numpy.frombuffer(out.read(4 * shape[0] * shape[1] * shape[2]), dtype=numpy.float32)
        results.append((shape, word[4], affine, voxels.reshape(shape)))
    return results


def oracle(path):
    """The same through nibabel, or its exception. Lengths are turned to millimetres, which nibabel leaves to us."""
    try:
        image = nibabel.load(path)
        data = image.get_fdata()
        if not data.size or not numpy.isfinite(image.affine).all():
            raise ValueError("no voxels or no affine")
        while data.ndim > 3 and data.shape[-1] == 1:
            data = data[..., 0]
        mm = MM_OF_UNIT.get(int(image.header["xyzt_units"]) & 7, numpy.nan)
        axes = "".join(nibabel.aff2axcodes(image.affine))
        flat = nibabel.Nifti1Image(data, image.affine)
        turned = nibabel.as_closest_canonical(flat)
        with numpy.errstate(over="ignore"):
            voxels = turned.get_fdata().astype(numpy.float32)
        return voxels.shape, axes, turned.affine[:3] * mm, voxels
    except Exception as error:  # nibabel raises many kinds
        return error


def difference(ours, theirs):
    """None when alike, else what differs."""
    if ours[0] != theirs[0]:
        return f"shape {ours[0]}, expected {theirs[0]}"
    if ours[1] != theirs[1]:
        return f"axes {ours[1]}, expected {theirs[1]}"
    size = abs(theirs[2]).max()
    if not abs(ours[2] - theirs[2]).max() <= 2e-6 * size:
        return f"affine {ours[2].tolist()}, expected {theirs[2].tolist()}"
    if not numpy.array_equal(ours[3], theirs[3], equal_nan=True):
        return f"{(ours[3] != theirs[3]).sum()} voxels"
    return None


def random_affine(random):
    """A signed permutation, often turned by some degrees and with unequal spacing, placed anywhere."""
    axes = numpy.eye(3)[random.permutation(3)] * random.choice([-1, 1], 3)
    if random.random() < 0.6:
        turn, _ = numpy.linalg.qr(numpy.eye(3) + 0.4 * random.standard_normal((3, 3)))
        axes = turn @ axes
    affine = numpy.eye(4)
    affine[:3, :3] = axes * random.uniform(0.3, 4, 3)
    affine[:3, 3] = random.uniform(-200, 200, 3)
    return affine


def random_nifti(random):
    """The bytes of a valid file."""
    order = random.choice(["<", ">"])
    dtype = numpy.dtype(order + TYPES[random.integers(len(TYPES))])
    header = [nibabel.Nifti1Header, nibabel.Nifti2Header][random.integers(2)](endianness=order)
    shape = tuple(int(n) for n in random.integers(1, 24, 3))
    header.set_data_dtype(dtype)
    header.set_data_shape(shape + (1,) * int(random.integers(3)))
    affine = random_affine(random)
    forms = random.integers(1, 4)  # bit 0: sform, bit 1: qform
    header.set_sform(affine if forms & 1 else None, code=int(random.integers(1, 5)) if forms & 1 else 0)
    header.set_qform(affine if forms & 2 else None, code=int(random.integers(1, 5)) if forms & 2 else 0)
    header["scl_slope"], header["scl_inter"] = [(1, 0), (0, 5), (numpy.nan, 0), random.normal(0, 3, 2)][
        random.integers(4)]
    header["xyzt_units"] = int(random.choice([0, 2, 2, 10]))
    extra = int(random.integers(0, 3)) * 16
    start = len(header.binaryblock) + 4
    header["vox_offset"] = start + extra
    count = int(numpy.prod(shape))
    if dtype.kind == "f":
        data = (random.standard_normal(count) * 10.0 ** random.uniform(-3, 6)).astype(dtype)
    else:
        limits = numpy.iinfo(dtype)
        data = random.integers(limits.min, limits.max, count, dtype=dtype.newbyteorder("="), endpoint=True).astype(dtype)
    return header.binaryblock + b"\0" * (4 + extra) + data.tobytes()


def write(folder, index, data, ending):
    path = os.path.join(folder, f"{index}{ending}")
    with open(path, "wb") as file:
        file.write(gzip.compress(data, 1) if ending.endswith(".gz") else data)
    return path


def valid_files(folder, random, count):
    return [write(folder, i, random_nifti(random), random.choice([".nii", ".nii.gz"])) for i in range(count)]


def mutants(folder, random, count):
    paths = []
    for i in range(count):
        data = bytearray(random_nifti(random))
        header_bytes = 348 if data[344:347] == b"n+1" else 540  # extensions, which follow, are not read here
        data[random.integers(header_bytes)] = random.integers(256)
        paths.append(write(folder, i, bytes(data), ".nii"))
    return paths


class Tally:
    def __init__(self):
        self.passed = self.failed = self.stricter = 0
        self.reasons = {}

    def check(self, path, problem):
        self.passed += problem is None
        self.failed += problem is not None
        if problem is not None:
            print(f"volumes: {os.path.basename(path)}: {problem}", file=sys.stderr)

    def compare(self, path, ours, theirs, mutant):
        if isinstance(theirs, Exception):
            if isinstance(ours, str):
                self.check(path, None if mutant else f"nibabel cannot read it: {theirs}")
            else:
                self.check(path, f"was read, but nibabel says: {type(theirs).__name__} {theirs}")
        elif isinstance(ours, str):
            self.stricter += mutant
            if mutant:
                self.reasons[ours.split("': ", 1)[-1][:24]] = self.reasons.get(ours.split("': ", 1)[-1][:24], 0) + 1
            else:
                self.check(path, ours)
        else:
            self.check(path, difference(ours, theirs))


def says_nothing(path):
    """Neither form: nibabel then mirrors the first axis by its own convention."""
    header = nibabel.load(path).header
    return int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0


def compare_all(tally, program, paths, mutant=False):
    for first in range(0, len(paths), BATCH):
        batch = paths[first:first + BATCH]
        for path, ours in zip(batch, dump(program, batch)):
            theirs = oracle(path)
            if mutant and not isinstance(theirs, Exception) and says_nothing(path):
                continue
            tally.compare(path, ours, theirs, mutant)


def compare_npy(tally, program, folder, random, count):
    paths, arrays = [], []
    for i in range(count):
        shape = tuple(int(n) for n in random.integers(1, 12, 3))
        dtype = random.choice(["<", ">"]) + TYPES[random.integers(len(TYPES))]
        array = (random.standard_normal(shape) * 50).astype("i1").astype(dtype)
        array = numpy.asfortranarray(array) if random.random() < 0.5 else array
        paths.append(os.path.join(folder, f"{i}.npy"))
        numpy.save(paths[-1], array)
        arrays.append(array.astype(numpy.float32))
    for path, array, ours in zip(paths, arrays, dump(program, paths)):
        good = not isinstance(ours, str) and ours[0] == array.shape and numpy.array_equal(ours[3], array)
        tally.check(path, None if good else f"differs from what NumPy saved: {ours}")


# ---- preprocessing, as doc/preprocessing.md says it ------------------------------------------------------------------


def sizes(n, a, b):
    """Step 3: voxels that cover the same length; whether the axis is resampled."""
    resampled = b > 0 and abs(a - b) > 1e-4 * b
    return (max(1, int(numpy.floor(n * a / b + 0.5))) if resampled else n), resampled


def width(r):
    return numpy.sqrt(r * r - 1) / 2.3548200450309493 if r > 1 else 0.0


def weights(n, count, r, middle):
    """[count, n]: each new voxel's weights over the old ones."""
    s = width(r)
    reach = int(numpy.ceil(3 * s))
    result = numpy.zeros((count, n), numpy.float32)
    for i in range(count):
        p = (i - (count - 1) / 2) * r + middle
        run = numpy.arange(int(numpy.floor(p)) - reach, int(numpy.floor(p)) + reach + 2)
        t = numpy.arange(-reach, reach + 1)
        g = numpy.exp(-t * t / (2 * s * s)) if s else numpy.ones(1)
        k = (numpy.maximum(0, 1 - abs(run[:, None] - p - t)) * g).sum(1) / g.sum()
        result[i, run] = k / k.sum()
    return result


def box_of(v, start, shape):
    """The box of v that begins at start, zero where it reaches beyond."""
    out = numpy.zeros(shape, v.dtype)
    low = [max(0, -s) for s in start]
    high = [min(n, m - s) for n, m, s in zip(shape, v.shape, start)]
    if all(a < b for a, b in zip(low, high)):
        to = tuple(slice(a, b) for a, b in zip(low, high))
        out[to] = v[tuple(slice(a + s, b + s) for a, b, s in zip(low, high, start))]
    return out


def resample(v, along):
    """along: for each axis None, or (count, r, middle)."""
    voxels, mask = v.astype(numpy.float64), (v != 0).astype(numpy.float64)
    for axis, how in enumerate(along):
        if how:
            w = weights(v.shape[axis], *how).astype(numpy.float64)
            voxels, mask = (numpy.moveaxis(numpy.tensordot(w, x, (1, axis)), 0, axis) for x in (voxels, mask))
    near = abs(mask - 0.5) < 1e-5 if any(along) else numpy.zeros(mask.shape, bool)
    return numpy.where(mask < 0.5, 0, voxels), near


def window(v, a, b, shape):
    """Steps 3 and 4."""
    held = [numpy.flatnonzero((v != 0).any(axis=tuple(set(range(3)) - {axis}))) for axis in range(3)]
    low, n = [int(h[0]) for h in held], [int(h[-1] - h[0]) + 1 for h in held]
    wanted = [shape[i] or sizes(v.shape[i], a[i], b[i])[0] for i in range(3)]
    near = False
    if any(sizes(1, a[i], b[i])[1] for i in range(3)):
        along, start, cut = [], [], []
        for i in range(3):
            count, resampled = sizes(n[i], a[i], b[i])
            m = int(numpy.ceil(3 * width(b[i] / a[i]))) + 1 if resampled else 0
            along.append((count, b[i] / a[i], (n[i] + 2 * m - 1) / 2) if resampled else None)
            start.append(low[i] - m)
            cut.append(n[i] + 2 * m)
        v, near = resample(box_of(v, start, cut), along)
        near = near.any()
    start = []
    for i in range(3):
        planes = (v != 0).sum(axis=tuple(set(range(3)) - {i}))
        total, moment = int(planes.sum()), int((numpy.arange(len(planes)) * planes).sum())
        first, last = (int(x) for x in numpy.flatnonzero(planes)[[0, -1]])
        at = (2 * moment - (wanted[i] - 2) * total) // (2 * total)
        if last - first + 1 <= wanted[i]:
            at = max(min(at, first), last - wanted[i] + 1)
        start.append(at)
    return box_of(v, start, wanted), near


def stretch(v, shape):
    """Step 4, cohort.fit: resize."""
    along, start, cut = [], [], []
    for axis in range(3):
        held = numpy.flatnonzero((v != 0).any(axis=tuple(set(range(3)) - {axis})))
        n = int(held[-1] - held[0]) + 1
        r = n / shape[axis]
        m = int(numpy.ceil(3 * width(r))) + 1 if n != shape[axis] else 0
        along.append((shape[axis], r, (n + 2 * m - 1) / 2) if n != shape[axis] else None)
        start.append(int(held[0]) - m)
        cut.append(n + 2 * m)
    v, near = resample(box_of(v, start, cut), along)
    return v, numpy.any(near)


def box_mm(v, affine, a, b, box):
    """Step 5 in millimetres."""
    along, start, cut, near = [], [], [], False
    for i, (low, high) in enumerate(box):
        low, high = ((x - affine[i, 3]) / affine[i, i] for x in (low, high))
        first, last = int(numpy.ceil(low + 1e-3)), int(numpy.floor(high - 1e-3))
        if sizes(1, a[i], b[i])[1]:
            count, r = max(1, int(numpy.floor((box[i][1] - box[i][0]) / b[i] + 0.5))), b[i] / a[i]
            m, middle, half = int(numpy.ceil(3 * width(r))) + 1, (low + high) / 2, (count - 1) / 2 * r
            first, last = int(numpy.floor(middle - half)) - m, int(numpy.ceil(middle + half)) + m
            along.append((count, r, middle - first))
        else:
            along.append(None)
        start.append(first)
        cut.append(last - first + 1)
    v = box_of(v, start, cut)
    if any(along):
        v, near = resample(v, along)
        near = near.any()
    return v, near


def zscore(v):
    brain = v != 0
    sd = v[brain].std()
    return numpy.where(brain, (v - v[brain].mean()) / (sd if sd > 0 else 1), 0)


def random_grid(random, shape):
    grid = {"shape": [int(n) for n in random.integers(6, 20, 3)], "spacing": [0.0] * 3, "crop": "", "box": ""}
    kind = random.integers(4)
    grid["fit"] = "resize" if kind in (0, 2) and random.random() < 0.5 else "crop"
    if random.random() < 0.6 and grid["fit"] == "crop":
        grid["spacing"] = [round(float(x), 3) for x in random.uniform(0.5, 3, 3)]
    if kind == 1:
        grid["shape"] = [0, 0, 0]
    if kind == 2:
        ends = [sorted(int(x) for x in random.choice(n + 1, 2, False)) for n in grid["shape"]]
        grid["crop"] = ", ".join(f"{low}:{high}" for low, high in ends)
    if kind == 3:
        grid["shape"] = [0, 0, 0]
        low = random.uniform(-12, 0, 3)
        grid["box"] = ", ".join(f"{x:.3f}:{x + y:.3f}" for x, y in zip(low, random.uniform(6, 20, 3)))
    return grid


def ranges(text, number):
    return [tuple(number(x) for x in part.split(":")) for part in text.split(",")]


def compare_preprocessing(tally, program, folder, random, count):
    """Random blobs, some touching the border, in the space of a template."""
    compared = refused = 0
    for i in range(count):
        shape = tuple(int(n) for n in random.integers(8, 22, 3))
        voxels = (100 + 30 * random.standard_normal(shape)).astype(numpy.float32)
        centre, radius = random.uniform(0.3, 0.7, 3), random.uniform(0.25, 0.9)
        place = sum(((numpy.arange(n) / n - c) ** 2).reshape([-1 if k == j else 1 for k in range(3)])
                    for j, (n, c) in enumerate(zip(shape, centre)))
        voxels[place > radius ** 2] = 0
        a = [round(float(x), 3) for x in random.uniform(0.7, 2, 3)]
        affine = numpy.diag(a + [1.0])
        affine[:3, 3] = random.uniform(-14, -8, 3)
        image = nibabel.Nifti1Image(voxels, affine)
        path = os.path.join(folder, f"{i}.nii")
        nibabel.save(image, path)
        grid = random_grid(random, shape)
        text = [",".join(str(x) for x in grid[key]) for key in ("shape", "spacing")]
        arguments = ["--grid", *text, "1", grid["crop"], grid["box"], grid["fit"]]
        out = subprocess.run([program, *arguments, path], check=True, stdout=subprocess.PIPE).stdout
        line, _, data = out.partition(b"\n")
        word = line.decode(errors="replace").split()
        affine = nibabel.load(path).affine
        a = numpy.sqrt((affine[:3, :3] ** 2).sum(0))
        if grid["box"]:
            expected, near = box_mm(voxels, affine, a, grid["spacing"], ranges(grid["box"], float))
        else:
            if grid["fit"] == "resize":
                expected, near = stretch(voxels, grid["shape"])
            else:
                expected, near = window(voxels, a, grid["spacing"], grid["shape"])
            if grid["crop"]:
                expected = expected[tuple(slice(x, y) for x, y in ranges(grid["crop"], int))]
        if near or not (expected != 0).any() or word[0] != "ok":
            refused += 1  # a voxel half of which is foreground may fall on either side; an empty crop is refused
            if word[0] != "ok" and not near and (expected != 0).sum() >= 8:
                tally.check(path, line.decode())
            continue
        expected = zscore(expected)
        found = numpy.frombuffer(data, numpy.float32).reshape([int(x) for x in word[1:]])
        worst = abs(found - expected).max() if found.shape == expected.shape else numpy.inf
        # float32 z-scores of products added in float32: 2e-6 of values up to 5, which is 1e-6 of their range
        good = worst <= 1e-6 * max(1, abs(expected).max() * 2)
        tally.check(path, None if good else f"preprocessing differs by {worst} on {arguments}, {found.shape}")
        compared += 1
    print(f"preprocessing: {compared} compared, {refused} left out")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump")
    parser.add_argument("--count", type=int, default=400, help="random files of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    nibabel.imageglobals.logger.setLevel("CRITICAL")
    random = numpy.random.default_rng(options.seed)
    tally = Tally()
    real = options.files
    if not real and os.environ.get("HF_OASIS"):
        real = sorted(glob.glob(os.path.join(os.environ["HF_OASIS"], "sub-*/anat/*.nii.gz")))[:12]
    compare_all(tally, options.dump, real)
    with tempfile.TemporaryDirectory() as folder:
        compare_all(tally, options.dump, valid_files(folder, random, options.count))
        compare_all(tally, options.dump, mutants(folder, random, options.count), mutant=True)
        compare_npy(tally, options.dump, folder, random, min(options.count, 100))
        compare_preprocessing(tally, options.dump, folder, random, options.count)
    print(f"stricter than nibabel on {tally.stricter} mutants; real files: {len(real)}")
    for reason, count in sorted(tally.reasons.items(), key=lambda item: -item[1])[:8]:
        print(f"    {count:5d}  {reason}...")
    print(f"volumes: {tally.passed} passed, {tally.failed} failed")
    return tally.failed != 0


if __name__ == "__main__":
    sys.exit(main())
