"""Pickles that would run code, in every form in which weights are saved."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import torch

FUNCTIONS = [os.system, eval, getattr, pickle.loads, torch.load, np.load, open, __import__]
FORMS = ["zip", "legacy", "archive"]


class Malicious:
    """A pickle of this calls the function when it is read by `pickle.load`."""

    def __init__(self, function, *arguments) -> None:
        self.made = function, arguments

    def __reduce__(self):
        return self.made


def harmful(function, touched: Path) -> Malicious:
    """Makes the file `touched` if it is run, with a function that can."""
    arguments = {os.system: (f"touch {touched}",), eval: (f"open({str(touched)!r}, 'w')",)}
    return Malicious(function, *arguments.get(function, (str(touched), "w")))


def save(held: object, path: Path, form: str) -> None:
    """As torch.save writes it today, as it did before torch 1.6, or as the pickle of a TorchScript archive."""
    if form != "archive":
        torch.save(held, path, _use_new_zipfile_serialization=form == "zip")
        return
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/constants.pkl", pickle.dumps(()))
        file.writestr("archive/data.pkl", pickle.dumps(held))


def rewritten(path: Path, target: Path, change=lambda name, content: content, compression=zipfile.ZIP_STORED) -> Path:
    """The zip file again, with members changed or compressed."""
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(target, "w", compression) as bad:
        for name in good.namelist():
            bad.writestr(name, change(name, good.read(name)))
    return target
