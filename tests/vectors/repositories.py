"""Networks of repositories that are no libraries, as their code has them, reduced to what gives
names and results. Small ones: the structure is what is compared."""

import torch
from torch import nn
from torch.nn import functional as F


def conv(inputs, outputs, kernel=3, stride=1, groups=1, bias=False, pad=None):
    pad = kernel // 2 if pad is None else pad
    return nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=bias)


class KuangliuPreActBlock(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, planes, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(planes), conv(planes, planes)
        if stride != 1 or inputs != planes:
            self.shortcut = nn.Sequential(conv(inputs, planes, 1, stride))

    def forward(self, x):
        out = F.relu(self.bn1(x))
        shortcut = self.shortcut(out) if hasattr(self, "shortcut") else x
        out = self.conv1(out)
        return self.conv2(F.relu(self.bn2(out))) + shortcut


class BearpawPreActBlock(KuangliuPreActBlock):
    def __init__(self, inputs, planes, stride):
        super().__init__(inputs, planes, stride)
        if hasattr(self, "shortcut"):
            self.downsample = self.shortcut
            del self.shortcut

    def forward(self, x):
        residual = self.downsample(x) if hasattr(self, "downsample") else x
        out = self.conv1(F.relu(self.bn1(x)))
        return self.conv2(F.relu(self.bn2(out))) + residual


class MeliketoyWide(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, planes, bias=True)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = conv(planes, planes, stride=stride, bias=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != planes:
            self.shortcut = nn.Sequential(conv(inputs, planes, 1, stride, bias=True))

    def forward(self, x):
        out = self.conv1(F.relu(self.bn1(x)))
        return self.conv2(F.relu(self.bn2(out))) + self.shortcut(x)


class XternalzBlock(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, planes, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(planes), conv(planes, planes)
        self.equalInOut = inputs == planes
        self.convShortcut = None if self.equalInOut else conv(inputs, planes, 1, stride)

    def forward(self, x):
        if not self.equalInOut:
            x = F.relu(self.bn1(x))
            out = x
        else:
            out = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(out))))
        return torch.add(x if self.equalInOut else self.convShortcut(x), out)


class XternalzStage(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.layer = nn.Sequential(*blocks)

    def forward(self, x):
        return self.layer(x)


class PreActivation(nn.Module):
    """Stem, stages, the last BatchNorm if it has a name, mean and classifier."""

    def __init__(self, block, stem, widths, stage, norm, classifier, bias=False):
        super().__init__()
        self.conv1 = conv(3, stem, bias=bias)
        inputs = stem
        self.stages = []
        for i, width in enumerate(widths):
            blocks = [block(inputs, width, 1 if i == 0 else 2), block(width, width, 1)]
            wrapped = XternalzStage(blocks) if block is XternalzBlock else nn.Sequential(*blocks)
            name = stage + str(i + 1)
            setattr(self, name, wrapped)
            self.stages.append(name)
            inputs = width
        self.norm, self.classifier = norm, classifier
        if norm:
            setattr(self, norm, nn.BatchNorm2d(inputs))
        setattr(self, classifier, nn.Linear(inputs, 10))

    def forward(self, x):
        x = self.conv1(x)
        for name in self.stages:
            x = getattr(self, name)(x)
        if self.norm:
            x = F.relu(getattr(self, self.norm)(x))
        return getattr(self, self.classifier)(x.mean((2, 3)))


class KuangliuDense(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 4 * growth, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth)

    def forward(self, x):
        out = self.conv1(F.relu(self.bn1(x)))
        out = self.conv2(F.relu(self.bn2(out)))
        return torch.cat([out, x], 1)


class KuangliuTransition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(inputs), conv(inputs, outputs, 1)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class KuangliuDenseNet(nn.Module):
    def __init__(self, growth=6):
        super().__init__()
        width = 2 * growth
        self.conv1 = conv(3, width)
        for i in (1, 2):
            layers = [KuangliuDense(width + k * growth, growth) for k in range(3)]
            setattr(self, "dense%d" % i, nn.Sequential(*layers))
            width += 3 * growth
            if i == 1:
                self.trans1 = KuangliuTransition(width, width // 2)
                width //= 2
        self.bn = nn.BatchNorm2d(width)
        self.linear = nn.Linear(width, 10)

    def forward(self, x):
        x = self.dense2(self.trans1(self.dense1(self.conv1(x))))
        return self.linear(F.relu(self.bn(x)).mean((2, 3)))


class FasBlock(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1, pad=None, linear=False):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel, stride, groups, pad=pad)
        self.bn = nn.BatchNorm2d(outputs)
        if not linear:
            self.prelu = nn.PReLU(outputs)

    def forward(self, x):
        x = self.bn(self.conv(x))
        return self.prelu(x) if hasattr(self, "prelu") else x


class FasGate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1, self.bn1 = conv(channels, channels // 4, 1), nn.BatchNorm2d(channels // 4)
        self.fc2, self.bn2 = conv(channels // 4, channels, 1), nn.BatchNorm2d(channels)

    def forward(self, x):
        y = F.relu(self.bn1(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(self.bn2(self.fc2(y)))


class FasDepthWise(nn.Module):
    def __init__(self, inputs, middle, outputs, stride=1, residual=False, gate=False):
        super().__init__()
        self.conv = FasBlock(inputs, middle)
        self.conv_dw = FasBlock(middle, middle, 3, stride, middle)
        self.project = FasBlock(middle, outputs, linear=True)
        self.residual = residual
        if gate:
            self.se_module = FasGate(outputs)

    def forward(self, x):
        y = self.project(self.conv_dw(self.conv(x)))
        y = self.se_module(y) if hasattr(self, "se_module") else y
        return x + y if self.residual else y


class FasResidual(nn.Module):
    def __init__(self, channels, middles):
        super().__init__()
        last = len(middles) - 1
        self.model = nn.Sequential(
            *[FasDepthWise(channels, m, channels, 1, True, i == last) for i, m in enumerate(middles)]
        )

    def forward(self, x):
        return self.model(x)


class MiniFasNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = FasBlock(3, 8, 3, 2)
        self.conv2_dw = FasBlock(8, 8, 3, 1, 8)
        self.conv_23 = FasDepthWise(8, 13, 16, 2)
        self.conv_3 = FasResidual(16, [5, 7])
        self.conv_34 = FasDepthWise(16, 21, 24, 2)
        self.conv_4 = FasResidual(24, [9, 6, 11])
        self.conv_45 = FasDepthWise(24, 19, 24, 2)
        self.conv_5 = FasResidual(24, [10])
        self.conv_6_sep = FasBlock(24, 32)
        self.conv_6_dw = FasBlock(32, 32, 4, 1, 32, pad=0, linear=True)
        self.linear = nn.Linear(32, 16, bias=False)
        self.bn = nn.BatchNorm1d(16)
        self.prob = nn.Linear(16, 3, bias=False)

    def forward(self, x):
        x = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(x))))
        x = self.conv_5(self.conv_45(self.conv_4(self.conv_34(x))))
        x = self.conv_6_dw(self.conv_6_sep(x)).flatten(1)
        return self.prob(self.bn(self.linear(x)))


def create_model(name):
    return {
        "densenet_kuangliu": KuangliuDenseNet,
        "minifasnet_hairymax": MiniFasNet,
        "preact_resnet_kuangliu": lambda: PreActivation(
            KuangliuPreActBlock, 8, (8, 16, 24, 32), "layer", None, "linear"
        ),
        "preresnet_bearpaw": lambda: PreActivation(
            BearpawPreActBlock, 8, (8, 16, 32), "layer", "bn", "fc"
        ),
        "wide_resnet_meliketoy": lambda: PreActivation(
            MeliketoyWide, 8, (16, 32, 64), "layer", "bn1", "linear", bias=True
        ),
        "wide_resnet_xternalz": lambda: PreActivation(
            XternalzBlock, 8, (16, 32, 64), "block", "bn1", "fc"
        ),
    }[name]()
