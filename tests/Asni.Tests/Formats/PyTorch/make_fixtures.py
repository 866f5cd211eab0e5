"""Made tiny.pt, checkpoint.pt, module.pt and legacy.pt of this folder (PyTorch 1.13). The tests need no PyTorch."""
import argparse
import collections
import torch

base = torch.arange(1, 13, dtype=torch.float32)
torch.save(collections.OrderedDict([
    ("fc1.weight", base.reshape(4, 3).t()),                                # strided: 1, 4, 7, 10 / 2, 5, ...
    ("fc1.bias", base[3:6]),                                               # inside a storage that others use: 4, 5, 6
    ("fc2.weight", torch.nn.Parameter(torch.tensor([[0.5, -1, 2], [3, 4, 5]], dtype=torch.float16))),
    ("fc2.bias", torch.tensor([1.5, -2], dtype=torch.bfloat16)),
    ("bn.num_batches_tracked", torch.tensor(7)),
]), "tiny.pt")

net = torch.nn.Sequential(collections.OrderedDict(fc1=torch.nn.Linear(4, 3), fc2=torch.nn.Linear(3, 2)))
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.fill_(i + 0.25)
optimizer = torch.optim.Adam(net.parameters())
net(torch.ones(1, 4)).sum().backward()
optimizer.step()
with torch.no_grad():
    for i, p in enumerate(net.parameters()):
        p.fill_(i + 0.25)
torch.save({"epoch": 3, "args": argparse.Namespace(lr=0.1), "best": 0.5, "big": 1 << 80, "blob": b"\x00\x01", "set": {1, 2},
            "optimizer": optimizer.state_dict(), "state_dict": torch.nn.DataParallel(net).double().state_dict()}, "checkpoint.pt")
torch.save(net, "module.pt")
torch.save(net.state_dict(), "legacy.pt", _use_new_zipfile_serialization=False)
