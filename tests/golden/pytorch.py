#!/usr/bin/env python3
"""Makes the folder pytorch/: state dicts of small PyTorch modules with random weights, as torch.save would name their
tensors, and what the modules say of an image and a table row. tests/cli/convert.sh converts and predicts.

    pytorch.py FOLDER              # small widths: the folder beside this file
    pytorch.py FOLDER --full       # the published sizes, for a comparison by hand: 90x120x99, 64x96x64

The modules are written here; only the names of their attributes are those of github.com/daniel4725/HyperFusion, so that
tensors are called as in a checkpoint of the authors. Weights are single precision, outputs are computed in double."""
import json
import os
import struct
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional as F

FULL = "--full" in sys.argv
AGE_SHAPE, AGE_WIDTH, AGE_BLOCKS = ((90, 120, 99), 16, 3) if FULL else ((16, 17, 19), 2, 2)
AD_SHAPE, AD_WIDTH = ((64, 96, 64), 16) if FULL else ((16, 20, 17), 1)
COLUMNS = 5  # of the diagnosis table
EMBEDDING = 8


# ---- layers that may be generated


class Generator(nn.Module):
    def __init__(self, embedding, size, shape):
        super().__init__()
        self.embedding_model = embedding
        self.weights_gen = nn.Linear(size, int(numpy.prod(shape)))
        self.bias_gen = nn.Linear(size, shape[0])

    def forward(self, row):
        e = self.embedding_model(row)
        return self.weights_gen(e), self.bias_gen(e)


class Generated(nn.Module):
    """A linear layer or convolution with weights of its own for each sample."""

    def __init__(self, shape, embedding, size, apply):
        super().__init__()
        self.shape, self.apply_one = shape, apply
        self.hyper_net = Generator(embedding, size, shape)

    def forward(self, x, row):
        weights, biases = self.hyper_net(row)
        return torch.cat([self.apply_one(x[n:n + 1], w.reshape(self.shape), b)
                          for n, (w, b) in enumerate(zip(weights, biases))])


class Layer(nn.Module):
    """What the authors put around a layer that could be generated: its name is `layer`."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, row):
        return self.layer(x, row) if isinstance(self.layer, Generated) else self.layer(x)


def age_embedding():
    return nn.Linear(2, 1), 1


def ad_embedding():
    return nn.Sequential(nn.Linear(COLUMNS, EMBEDDING), nn.BatchNorm1d(EMBEDDING), nn.PReLU()), EMBEDDING


def linear(inputs, outputs, embedding=None):
    return Layer(Generated((outputs, inputs), *embedding(), F.linear) if embedding else nn.Linear(inputs, outputs))


# ---- brain age


class Age(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        size = numpy.array(AGE_SHAPE)
        channels = 1
        for i in range(1, AGE_BLOCKS + 1):
            width = AGE_WIDTH << (i - 1)
            setattr(self, f"conv{i}_a", nn.Conv3d(channels, width, 3))
            setattr(self, f"conv{i}_b", nn.Conv3d(width, width, 3))
            setattr(self, f"batchnorm{i}", nn.BatchNorm3d(width))
            channels, size = width, (size - 4) // 2
        sizes = [channels * int(size.prod()), AGE_WIDTH, 2 * AGE_WIDTH, 4 * AGE_WIDTH, 1]
        for i, name in enumerate(("linear1", "linear2", "linear3", "final_layer")):
            inputs = sizes[i] + 2 * (kind == "concat" and i == 1)
            made = linear(inputs, sizes[i + 1], age_embedding if kind == "hyper" else None)
            setattr(self, name, made if kind == "hyper" else made.layer)

    def forward(self, x, row):
        for i in range(1, AGE_BLOCKS + 1):
            x = F.relu(getattr(self, f"conv{i}_a")(x))
            x = F.max_pool3d(F.relu(getattr(self, f"conv{i}_b")(x)), 2)
            x = getattr(self, f"batchnorm{i}")(x)
        x = x.flatten(1)
        for name in ("linear1", "linear2", "linear3", "final_layer"):
            if self.kind == "concat" and name == "linear2":
                x = torch.cat([x, row], 1)
            x = getattr(self, name)(x, row) if self.kind == "hyper" else getattr(self, name)(x)
            x = F.relu(x) if name != "final_layer" else x
        return x[:, 0]


# ---- diagnosis


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, modulation=None):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm3d(inputs), nn.BatchNorm3d(outputs)
        self.conv1 = nn.Conv3d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, 1, 1)
        self.downsample = nn.Sequential(nn.BatchNorm3d(inputs), nn.Conv3d(inputs, outputs, 1, stride))
        self.modulation = modulation
        if modulation:
            self.aux = nn.Sequential()
            self.aux.add_module("aux_base", nn.Linear(COLUMNS + (inputs if modulation == "daft" else 0), 7, bias=False))
            self.aux.add_module("aux_relu", nn.ReLU())
            self.aux.add_module("aux_out", nn.Linear(7, 2 * inputs, bias=False))

    def modulated(self, x, row):
        v = torch.cat([x.mean((2, 3, 4)), row], 1) if self.modulation == "daft" else row
        scale, shift = self.aux(v)[..., None, None, None].chunk(2, 1)
        return scale * x + shift

    def forward(self, x, row):
        y = self.modulated(x, row) if self.modulation else x
        return self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(y)))))) + self.downsample(x)


class HyperBlock(nn.Module):
    """All convolutions wrapped; the shortcut, which may be generated, comes before its batch norm."""

    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm3d(inputs), nn.BatchNorm3d(outputs)
        self.conv1 = Layer(nn.Conv3d(inputs, outputs, 3, stride, 1))
        self.conv2 = Layer(nn.Conv3d(outputs, outputs, 3, 1, 1))
        one = nn.Conv3d(inputs, outputs, 1, stride)
        if shortcut:
            one = Generated((outputs, inputs, 1, 1, 1), *ad_embedding(), lambda x, w, b: F.conv3d(x, w, b, stride))
        self.downsample = nn.Sequential(Layer(one), nn.BatchNorm3d(outputs))

    def forward(self, x, row):
        y = self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x)), row))), row)
        return y + self.downsample[1](self.downsample[0](x, row))


class Diagnosis(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, w = kind, AD_WIDTH
        stem = nn.Sequential(nn.Conv3d(1, w, 3, 1, 1), nn.BatchNorm3d(w), nn.ReLU())
        setattr(self, "conv1" if kind == "film" else "conv_bn_relu", stem)
        self.block1, self.block2, self.block3 = Block(w, 2 * w, 1), Block(2 * w, 4 * w, 2), Block(4 * w, 8 * w, 2)
        if kind in ("film", "daft"):
            self.blockX = Block(8 * w, 16 * w, 2, kind)
        elif kind in ("hyper", "hyper-fc"):
            self.block4 = HyperBlock(8 * w, 16 * w, 2, kind == "hyper")
        else:
            self.block4 = Block(8 * w, 16 * w, 2)
        embedding = ad_embedding if kind == "hyper-fc" else None
        fc1 = linear(16 * w + COLUMNS * (kind == "concat"), 4 * w, embedding)
        fc2 = linear(4 * w, 3, embedding)
        self.fc1, self.fc2 = (fc1, fc2) if kind.startswith("hyper") else (fc1.layer, fc2.layer)

    def apply_linear(self, layer, x, row):
        return layer(x, row) if isinstance(layer, Layer) else layer(x)

    def forward(self, x, row):
        x = F.max_pool3d(getattr(self, "conv1" if self.kind == "film" else "conv_bn_relu")(x), 2)
        for name in ("block1", "block2", "block3", "blockX" if self.kind in ("film", "daft") else "block4"):
            x = getattr(self, name)(x, row)
        x = x.mean((2, 3, 4))
        if self.kind == "concat":
            x = torch.cat([x, row], 1)
        x = self.apply_linear(self.fc2, F.relu(self.apply_linear(self.fc1, x, row)), row)
        return x.softmax(1)


class Tabular(nn.Module):
    def __init__(self, _):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(COLUMNS, EMBEDDING), nn.BatchNorm1d(EMBEDDING), nn.PReLU(), nn.Linear(EMBEDDING, 3))

    def forward(self, x, row):
        return self.mlp(row).softmax(1)


CASES = [  # name, class, kind, our network, further settings, what a wrapper adds to names
    ("age-hyper", Age, "hyper", "brain-age-hyperfusion", "", "model."),
    ("age-image", Age, "image", "brain-age-image-only", "", ""),
    ("age-concat", Age, "concat", "brain-age-concatenation", "", "module."),
    ("ad-hyper", Diagnosis, "hyper", "ad-hyperfusion", "", "model."),
    ("ad-hyper-fc", Diagnosis, "hyper-fc", "ad-hyperfusion", "model.hyper_layers=fc1,fc2", ""),
    ("ad-image", Diagnosis, "image", "ad-image-only", "", ""),
    ("ad-concat", Diagnosis, "concat", "ad-concatenation", "", ""),
    ("ad-film", Diagnosis, "film", "ad-film", "", ""),
    ("ad-daft", Diagnosis, "daft", "ad-daft", "", ""),
    ("ad-tabular", Tabular, "", "ad-tabular", "", "model."),
]


# ---- files


def write_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        header[name] = {"dtype": {"float32": "F32", "int64": "I64"}[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def randomise(module, rng):
    """Weights that keep signals of the size of 1 through all layers, and running statistics that are not 0 and 1."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith("num_batches_tracked"):
                value.fill_(7)
                continue
            fan_in = value[0].numel() if value.dim() > 1 else 4
            array = rng.uniform(-1, 1, tuple(value.shape)) * (3 / fan_in) ** 0.5
            if name.endswith("running_var") or (value.dim() == 1 and "weight" in name):
                array = rng.uniform(0.5, 1.5, tuple(value.shape))
            array *= 0.2 if "_gen." in name else 1  # what they generate is multiplied with a whole layer's input
            value.copy_(torch.tensor(array.astype(numpy.float32)))


def main(folder):
    os.makedirs(folder, exist_ok=True)
    rng = numpy.random.default_rng(11)
    images = {"age": rng.normal(0, 1, AGE_SHAPE), "ad": rng.normal(0, 1, AD_SHAPE)}
    for name, image in images.items():
        images[name] = image.astype(numpy.float32)
        numpy.save(os.path.join(folder, f"{name}.npy"), images[name])
    row = {"age": numpy.float32([0, 1]), "ad": rng.normal(0, 1, COLUMNS).round(3).astype(numpy.float32)}
    pairs = {"age": "sex=M", "ad": ",".join(f"c{i}={x:.3f}" for i, x in enumerate(row["ad"]))}
    lines = ["case\tnetwork\tset\ttabular\texpected"]
    for name, kind, variant, network, settings, prefix in CASES:
        family = name.split("-")[0]
        module = kind(variant)
        randomise(module, rng)
        state = {prefix + key: value.numpy() for key, value in module.state_dict().items()}
        write_safetensors(os.path.join(folder, f"{name}.safetensors"), state)
        module.double().eval()
        with torch.no_grad():
            out = module(*(torch.tensor(a[family].astype(numpy.float64))[None] for a in ({"age": images["age"][None],
                         "ad": images["ad"][None]}, row)))
        reads_row = not name.endswith("-image")
        lines.append("\t".join([name, network, settings or "-", pairs[family] if reads_row else "-", " ".join(f"{x:.9g}" for x in out.flatten())]))
    with open(os.path.join(folder, "cases.tsv"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
