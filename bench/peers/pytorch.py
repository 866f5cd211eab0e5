"""PyTorch's side of the comparisons."""
import statistics
import time

import torch

import networks


class Peer:
    """A step of PyTorch that can be called again and again."""

    def __init__(self, case, mode, channels_last):
        torch.manual_seed(1)
        self.training = mode == "train"
        self.net = networks.kaiming(networks.create(case.net, case.classes)).train(self.training)
        self.x = torch.rand(case.batch, *case.input) * 2 - 1
        self.y = torch.arange(case.batch) % case.classes
        if channels_last:
            self.net, self.x = self.net.to(memory_format=torch.channels_last), self.x.to(memory_format=torch.channels_last)
        # A rate this small keeps the weights where they are: on one batch a real one would soon train the gradients away.
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-9, foreach=True) if case.optimizer == "adam" else \
            torch.optim.SGD(self.net.parameters(), 1e-9, momentum=0.9, foreach=True)

    def step(self):
        if not self.training:
            with torch.no_grad():
                return torch.nn.functional.cross_entropy(self.net(self.x), self.y)
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def median(self, seconds):
        """Median milliseconds of a step."""
        for _ in range(2):
            self.step()
        times, start = [], time.perf_counter()
        while len(times) < 5 or time.perf_counter() - start < seconds:
            t = time.perf_counter()
            self.step()
            times.append((time.perf_counter() - t) * 1e3)
        return statistics.median(times)
