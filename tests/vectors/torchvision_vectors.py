"""Writes what torchvision, timm and repositories.py say of their networks: names and shapes of the
state dict, the number of parameters, and for some the logits of two images with weights that a
formula gives.

    python3 tests/vectors/torchvision_vectors.py [model ..]

Needs torch, torchvision and timm (models of a library that is missing are left as they are). Writes
tests/src/test/resources/org/hast4j/zoo/LIBRARY/MODEL.json.gz, which PublishedStructuresTest reads.
A value is a hash of its tensor's name and its index, see values().
"""

import functools
import gzip
import json
import math
import pathlib
import sys
import zlib

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parents[1] / "src/test/resources/org/hast4j/zoo"

# What the names do not say of networks that were converted from TensorFlow.
TENSORFLOW = dict(padding="same", epsilon="1e-3")

# Library: model: what creates it (its own name where none is given), the input size, whether
# logits are computed, what people must say beside the size. Sorted by name.
MODELS = {
    "repositories": {
        "densenet_kuangliu": dict(size=32, logits=True),
        "minifasnet_hairymax": dict(size=64, logits=True),
        "preact_resnet_kuangliu": dict(size=32, logits=True),
        "preresnet_bearpaw": dict(size=32, logits=True),
        "wide_resnet_meliketoy": dict(size=32, logits=True),
        "wide_resnet_xternalz": dict(size=32, logits=True),
    },
    "torchvision": {
        "densenet121": dict(size=64, logits=True),
        "densenet161": dict(),
        "densenet169": dict(),
        "densenet201": dict(size=64, logits=True),
        "efficientnet_b0": dict(size=64, logits=True),
        "efficientnet_b1": dict(),
        "efficientnet_b2": dict(),
        "efficientnet_b3": dict(),
        "efficientnet_b4": dict(),
        "efficientnet_b5": dict(),
        "efficientnet_b6": dict(),
        "efficientnet_b7": dict(),
        "efficientnet_v2_l": dict(),
        "efficientnet_v2_m": dict(),
        "efficientnet_v2_s": dict(),
        "efficientnet_v2_shallow": dict(
            make=lambda library: shallow_efficientnet(library),
            size=64,
            logits=True,
            settings=dict(epsilon="1e-3"),
        ),
        "googlenet": dict(size=45, logits=True),
        "mnasnet0_5": dict(size=64, logits=True),
        "mnasnet0_75": dict(),
        "mnasnet1_0": dict(),
        "mnasnet1_3": dict(size=64, logits=True),
        "mobilenet_v2": dict(size=64, logits=True),
        "mobilenet_v3_large": dict(size=64, logits=True),
        "mobilenet_v3_small": dict(size=64, logits=True),
        "regnet_x_16gf": dict(),
        "regnet_x_1_6gf": dict(),
        "regnet_x_32gf": dict(),
        "regnet_x_3_2gf": dict(),
        "regnet_x_400mf": dict(size=64, logits=True),
        "regnet_x_800mf": dict(),
        "regnet_x_8gf": dict(),
        "regnet_y_16gf": dict(),
        "regnet_y_1_6gf": dict(size=64, logits=True),
        "regnet_y_32gf": dict(),
        "regnet_y_3_2gf": dict(),
        "regnet_y_400mf": dict(),
        "regnet_y_800mf": dict(),
        "regnet_y_8gf": dict(),
        "resnet101": dict(),
        "resnet152": dict(),
        "resnet18": dict(size=64, logits=True),
        "resnet34": dict(),
        "resnet50": dict(size=64, logits=True),
        "resnext101_32x8d": dict(),
        "resnext101_64x4d": dict(),
        "resnext50_32x4d": dict(size=64, logits=True),
        "shufflenet_v2_x0_5": dict(size=64, logits=True),
        "shufflenet_v2_x1_0": dict(),
        "shufflenet_v2_x1_5": dict(),
        "shufflenet_v2_x2_0": dict(size=64, logits=True),
        "vgg11": dict(),
        "vgg11_bn": dict(),
        "vgg11_bn_narrow": dict(
            make=lambda library: narrow_vgg(library, "A", True), size=224, logits=True
        ),
        "vgg13": dict(),
        "vgg13_bn": dict(),
        "vgg16": dict(),
        "vgg16_bn": dict(),
        "vgg16_narrow": dict(
            make=lambda library: narrow_vgg(library, "D", False), size=224, logits=True
        ),
        "vgg19": dict(),
        "vgg19_bn": dict(),
        "vgg19_bn_narrow": dict(
            make=lambda library: narrow_vgg(library, "E", True), size=224, logits=True
        ),
        "wide_resnet101_2": dict(),
        "wide_resnet50_2": dict(),
    },
    "timm": {
        "densenet121": dict(),
        "efficientnet_b0": dict(),
        "efficientnet_b1": dict(),
        "efficientnet_lite0": dict(size=64, logits=True),
        "mnasnet_100": dict(size=64, logits=True),
        "mobilenetv1_100": dict(size=64, logits=True),
        "mobilenetv2_100": dict(size=64, logits=True),
        "mobilenetv2_110d": dict(size=64, logits=True),
        "mobilenetv2_140": dict(),
        "mobilenetv3_large_100": dict(size=64, logits=True),
        "mobilenetv3_small_100": dict(),
        "regnetx_004": dict(),
        "regnety_004": dict(size=64, logits=True),
        "regnety_032": dict(),
        "resnet26d": dict(size=64, logits=True),
        "resnet50": dict(),
        "resnet50d": dict(),
        "resnetv2_50": dict(size=64, logits=True),
        "seresnet50": dict(size=64, logits=True),
        "tf_efficientnet_b0": dict(size=64, logits=True, settings=TENSORFLOW),
        "tf_mobilenetv3_large_100": dict(size=64, logits=True, settings=TENSORFLOW),
        "vgg16_bn": dict(),
        "wide_resnet50_2": dict(),
    },
}


def narrow_vgg(library, configuration, norm):
    """An eighth of the channels, and 32 features between the linear layers."""
    vgg = library.models.vgg
    widths = [w if w == "M" else w // 8 for w in vgg.cfgs[configuration]]
    model = vgg.VGG(vgg.make_layers(widths, batch_norm=norm), num_classes=10, init_weights=False)
    model.classifier[0] = torch.nn.Linear(64 * 7 * 7, 32)
    model.classifier[3] = torch.nn.Linear(32, 32)
    model.classifier[6] = torch.nn.Linear(32, 10)
    return model


def shallow_efficientnet(library):
    """The first two units of each of EfficientNetV2-S's stages; more amplify rounding."""
    stages, channels = library.models.efficientnet._efficientnet_conf("efficientnet_v2_s")
    for stage in stages:
        stage.num_layers = min(2, stage.num_layers)
    norm = functools.partial(torch.nn.BatchNorm2d, eps=1e-3)
    return library.models.efficientnet.EfficientNet(
        stages, 0, last_channel=channels, norm_layer=norm, num_classes=10
    )


def uniform(name, count):
    """Uniform in [-1, 1), multiples of 2^-23: the output function of SplitMix64 (Steele et al.
    2014) of the name's CRC-32 in the upper half and the index in the lower."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()) << 32)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1


def values(name, shape):
    count = math.prod(shape)
    u = uniform(name, count)
    if len(shape) > 1:
        u = u * math.sqrt(6 / (count // shape[0]))
    elif name.endswith((".weight", ".running_var")):
        u = 1 + u / 2
    else:
        u = u / 5
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def create(library, name, make):
    if make is not None:
        return make(library)
    if library.__name__ == "torchvision":
        extra = dict(init_weights=False) if name in ("googlenet", "inception_v3") else {}
        return library.models.get_model(name, weights=None, **extra)
    return library.create_model(name)


def write(library, name, make=None, size=224, logits=False, settings=None):
    # Weights are not initialised: that takes longer than all else.
    for function in ("kaiming_normal_", "kaiming_uniform_", "normal_", "trunc_normal_", "uniform_"):
        setattr(torch.nn.init, function, lambda tensor, *_, **__: tensor)
    model = create(library, name, make).eval()
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    vector = dict(
        model=name,
        size=size,
        settings=settings or {},
        # Auxiliary classifiers are for training only, and not counted.
        parameters=sum(p.numel() for k, p in model.named_parameters() if not k.startswith("aux")),
        tensors={k: list(v.shape) for k, v in state.items()},
    )
    if logits:
        with torch.no_grad():
            # In double precision: float32 is off by 1e-4 and more in deep networks.
            model.double()
            for k, v in model.state_dict().items():
                if k in state:
                    v.copy_(values(k, v.shape))
            image = torch.from_numpy(uniform("image", 6 * size * size).astype(np.float32)).double()
            rows = model(image.reshape(2, 3, size, size))
        spread = (rows[0] - rows[1]).abs().max() / rows.abs().max()
        print("  logits up to %g, images differ by %.3f of it" % (rows.abs().max(), spread))
        vector["logits"] = [float("%.9g" % x) for x in rows.flatten().tolist()]
    target = FOLDER / library.__name__ / (name + ".json.gz")
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(vector, separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode(), mtime=0))


def main():
    wanted = set(sys.argv[1:])
    for library, models in MODELS.items():
        try:
            module = __import__(library)
        except ImportError as e:
            print(library, "is missing:", e)
            continue
        for name, what in models.items():
            if not wanted or name in wanted:
                print(library, name)
                write(module, name, **what)


if __name__ == "__main__":
    main()
