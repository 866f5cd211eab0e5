#!/usr/bin/env python3
"""The same procedures in PyTorch, for accuracy and time: what Asni's runs are compared with.

    python3 bench/peers/accuracy.py lenet300 --data-dir DIR        ASNI-I and ASNI-II on MNIST (IDX files, gzipped or not), published recipe
    python3 bench/peers/accuracy.py conv6 --data-dir DIR           2 epochs of dense training on CIFAR-10 (binary files); conv2, conv4, resnet20,
                                                                   resnet18c too; --epochs N, --device cuda (convolutions in bf16, channels last)

lenet300: batch 60, Adam 1.2e-4, 50 epochs a phase; after epoch e < 49 the largest K weights over all layers stay, sparsity 0.98 sigmoid((e - 25) / 5).
CIFAR-10: crop with padding 4 and flip; conv nets Adam, batch 60; resnets SGD 0.9, batch 128, lr 0.05 cosine stretched by 1.06, weight decay 5e-4.
"""
import argparse
import gzip
import math
import os
import sys
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy, pad

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import networks  # noqa: E402


def find(folder, *names):
    for base, _, files in os.walk(folder):
        for name in names:
            if name in files:
                return os.path.join(base, name)
    sys.exit(f"none of {', '.join(names)} below {folder}")


def idx(folder, name, header):
    path = find(folder, name, name + ".gz")
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return np.frombuffer(f.read(), np.uint8, offset=header)


def mnist(folder):
    def half(part):
        x = idx(folder, part + "-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28).astype(np.float32)
        return torch.from_numpy((x / 255 - 0.1307) / 0.3081), torch.from_numpy(idx(folder, part + "-labels-idx1-ubyte", 8).astype(np.int64))
    return half("train") + half("t10k")


def cifar(folder):
    def read(names):
        rows = np.concatenate([np.fromfile(find(folder, n), np.uint8).reshape(-1, 3073) for n in names])
        return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32)), torch.from_numpy(rows[:, 0].astype(np.int64))
    return read([f"data_batch_{i}.bin" for i in range(1, 6)]) + read(["test_batch.bin"])


def normalized(x):
    mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in ([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]))
    return (x.float() / 255 - mean) / std


def augmented(x):
    n, side = len(x), torch.arange(32, device=x.device)
    top, left, flip = (torch.randint(0, most, (n, 1), device=x.device) for most in (9, 9, 2))
    rows, columns = top + side, left + torch.where(flip == 1, 31 - side, side)
    images = torch.arange(n, device=x.device).view(n, 1, 1)
    return pad(x, (4, 4, 4, 4))[images, :, rows.view(n, 32, 1), columns.view(n, 1, 32)].permute(0, 3, 1, 2)


def top1(net, x, y, prepare):
    net.eval()
    with torch.no_grad(), torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
        right = sum((net(prepare(x[i:i + 500])).argmax(1) == y[i:i + 500]).sum().item() for i in range(0, len(x), 500))
    return right / len(x)


def train_epoch(net, optimizer, x, y, batch, prepare, after_step):
    net.train()
    for rows in torch.randperm(len(x), device=x.device).split(batch):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
            loss = cross_entropy(net(prepare(x[rows])), y[rows])
        loss.backward()
        optimizer.step()
        after_step()


def asni(data):
    x, y, xt, yt = data
    net = networks.kaiming(networks.create("lenet300", 10))
    weights = [p for p in net.parameters() if p.dim() > 1]
    masks = [torch.ones_like(w) for w in weights]

    def apply_masks():
        with torch.no_grad():
            for w, m in zip(weights, masks):
                w.mul_(m)

    for phase in ("asni1", "asni2"):
        optimizer, start = torch.optim.Adam(net.parameters(), 1.2e-4, foreach=True), time.time()
        for e in range(50):
            train_epoch(net, optimizer, x, y, 60, lambda v: v, apply_masks)
            if phase == "asni1" and e < 49:
                every = torch.cat([w.detach().abs().flatten() for w in weights])
                keep = len(every) - round(0.98 / (1 + math.exp(-(e - 25) / 5)) * len(every))
                flat = torch.zeros_like(every)
                flat[torch.topk(every, keep).indices] = 1
                for m, part in zip(masks, flat.split([m.numel() for m in masks])):
                    m.copy_(part.view_as(m))
                apply_masks()
        kept = int(sum(m.sum() for m in masks))
        print(f"{phase}: top-1 {100 * top1(net, xt, yt, lambda v: v):.2f} %, {kept} weights, {time.time() - start:.1f} s", flush=True)
        with torch.no_grad():  # the start of ASNI-II: two means a layer, biases 0
            for p in net.parameters():
                if p.dim() == 1:
                    p.zero_()
            for w in weights:
                plus, minus = w[w > 0].mean(), w[w < 0].mean()
                w.copy_(torch.where(w > 0, plus, torch.where(w < 0, minus, torch.zeros_like(w))))


def dense(name, data, epochs, device):
    x, y, xt, yt = (part.to(device) for part in data)
    net = networks.kaiming(networks.create(name, 10)).to(device, memory_format=torch.channels_last)
    torch.backends.cudnn.benchmark = True
    conv_rate = {"conv2": 2e-4, "conv4": 3e-4, "conv6": 3e-4}
    optimizer = torch.optim.Adam(net.parameters(), conv_rate[name], foreach=True) if name in conv_rate else \
        torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=5e-4, foreach=True)
    start = time.time()
    for e in range(epochs):
        if name not in conv_rate:
            optimizer.param_groups[0]["lr"] = 0.025 * (1 + math.cos(math.pi * e / (1.06 * epochs)))
        train_epoch(net, optimizer, x, y, 60 if name in conv_rate else 128, lambda v: normalized(augmented(v)), lambda: None)
        print(f"{name} epoch {e + 1}: top-1 {100 * top1(net, xt, yt, normalized):.2f} %, {time.time() - start:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("net", choices=["lenet300", "conv2", "conv4", "conv6", "resnet20", "resnet18c"])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2, help="of dense training (2)")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.net == "lenet300" and (options.device != "cpu" or options.epochs != 2):
        parser.error("lenet300 trains its published 50 epochs a phase, on the CPU")
    torch.manual_seed(options.seed)
    torch.set_num_threads(os.cpu_count())
    if options.net == "lenet300":
        asni(mnist(options.data_dir))
    else:
        dense(options.net, cifar(options.data_dir), options.epochs, options.device)


main()
