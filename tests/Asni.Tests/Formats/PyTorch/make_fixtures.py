"""Made the .pt files of this folder (PyTorch 1.13). The tests need no PyTorch."""
import argparse
import collections
import torch
import torch.nn.utils.prune

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

pruned = torch.nn.Sequential(collections.OrderedDict(fc1=torch.nn.Linear(4, 3), fc2=torch.nn.Linear(3, 2)))
with torch.no_grad():
    for i, p in enumerate(pruned.parameters()):
        p.copy_(torch.arange(1, p.numel() + 1).reshape(p.shape) + 100 * i)
torch.nn.utils.prune.random_unstructured(pruned.fc1, "weight", amount=0.5)
torch.nn.utils.prune.random_unstructured(pruned.fc2, "bias", amount=1)
torch.save(pruned.state_dict(), "pruned.pt")
torch.save({"fc1.weight": torch.eye(3, 4).to_sparse(), "fc1.bias": torch.zeros(3)}, "coo.pt")
torch.save({"fc1.weight": torch.eye(3, 4).to_sparse_csr(), "fc1.bias": torch.zeros(3)}, "csr.pt")
torch.save({"fc1.weight": torch.quantize_per_tensor(torch.eye(3, 4), 0.1, 0, torch.qint8), "fc1.bias": torch.zeros(3)}, "quantized.pt")
views = torch.arange(12, dtype=torch.float64)
torch.save({"epoch": 1, "best_acc1": torch.tensor(0.5), "rng_state": torch.get_rng_state()[:4], "optimizer": optimizer.state_dict(),
            "state_dict": {"fc1.weight": views.reshape(4, 3).t(), "fc1.bias": views[3:6], "fc2.weight": torch.ones(2, 3).half(),
                           "fc2.bias": torch.ones(2).bfloat16()}}, "legacy_checkpoint.pt", _use_new_zipfile_serialization=False)
