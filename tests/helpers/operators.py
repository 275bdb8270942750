"""Which of torch's operators run, by name."""

from collections import Counter

from torch.utils._python_dispatch import TorchDispatchMode


class Operators(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.counted = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        self.counted[function.overloadpacket.__name__] += 1
        return function(*arguments, **(named or {}))
