"""The networks of the zoo in plain PyTorch, for timing and for accuracy references. Parameter counts are asserted."""
import torch
import torch.nn as nn

COUNTS = {"lenet300": 266_610, "conv2": 4_301_642, "conv4": 2_425_930, "conv6": 2_262_602, "vgg16": 14_728_266,
          "resnet20": 272_474, "resnet18": 11_181_642, "resnet18c": 11_173_962, "resnet50": 25_557_032, "mobilenet_v2": 3_504_872}


def lenet300(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, classes))


def conv(depth, classes):
    layers, channels = [], 3
    for i, width in enumerate([64, 64, 128, 128, 256, 256][:depth]):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        channels = width
        if i % 2:
            layers.append(nn.MaxPool2d(2))
    side = 32 >> (depth // 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                         nn.Linear(256, classes))


def vgg16(classes):
    layers, channels = [], 3
    for width in [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, classes))


class Block(nn.Module):
    """Basic block, or with bottleneck=True the 1x1-3x3-1x1 one; the shortcut is a 1x1 convolution where shapes change."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        plan = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)] if bottleneck else \
               [(inputs, width, 3, stride), (width, width, 3, 1)]
        layers = []
        for i, o, k, s in plan:
            layers += [nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
        self.body = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)) \
            if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet(stem, widths, depths, bottleneck, classes):
    channels = widths[0]
    layers = [nn.Conv2d(3, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()] if stem == "cifar" else \
             [nn.Conv2d(3, channels, 7, 2, 3, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for group, (width, depth) in enumerate(zip(widths, depths)):
        for block in range(depth):
            layers.append(Block(channels, width, 2 if group and not block else 1, bottleneck))
            channels = width * (4 if bottleneck else 1)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, expand):
        super().__init__()
        width, layers = inputs * expand, []
        if expand > 1:
            layers += [nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6()]
        layers += [nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), nn.BatchNorm2d(width), nn.ReLU6(),
                   nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.body, self.skip = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.skip else self.body(x)


def mobilenet_v2(classes):
    layers, channels = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()], 32
    for expand, outputs, repeat, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(repeat):
            layers.append(Inverted(channels, outputs, stride if i == 0 else 1, expand))
            channels = outputs
    return nn.Sequential(*layers, nn.Conv2d(channels, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(1280, classes))


def create(name, classes):
    net = {"lenet300": lambda: lenet300(classes), "conv2": lambda: conv(2, classes), "conv4": lambda: conv(4, classes),
           "conv6": lambda: conv(6, classes), "vgg16": lambda: vgg16(classes),
           "resnet20": lambda: resnet("cifar", [16, 32, 64], [3, 3, 3], False, classes),
           "resnet18c": lambda: resnet("cifar", [64, 128, 256, 512], [2, 2, 2, 2], False, classes),
           "resnet18": lambda: resnet("imagenet", [64, 128, 256, 512], [2, 2, 2, 2], False, classes),
           "resnet50": lambda: resnet("imagenet", [64, 128, 256, 512], [3, 4, 6, 3], True, classes),
           "mobilenet_v2": lambda: mobilenet_v2(classes)}[name]()
    count = sum(p.numel() for p in net.parameters())
    assert count == COUNTS[name], f"{name} has {count:,} parameters, expected {COUNTS[name]:,}"
    return net


def kaiming(net):
    """Kaiming normal, fan-in, ReLU gain; biases 0."""
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(m.weight, mode="fan_in", nonlinearity="relu")
            if m.bias is not None:
                nn.init.zeros_(m.bias)
    return net
