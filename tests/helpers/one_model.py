"""One frozen model for all jobs of a file of tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from promptatlas import backbone


@contextmanager
def loaded_once() -> Iterator[None]:
    """Whatever folder is asked for, it is the model that was loaded first in that precision."""
    load, loaded = backbone.load, {}

    def once(folder, device="cpu", precision="float32"):
        if precision not in loaded:
            loaded[precision] = load(folder, device, precision)
        return loaded[precision]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbone, "load", once)
        yield
