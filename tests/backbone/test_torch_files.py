"""Files of weights give tensors and nothing else: what would run code, take endless memory or is cut off is told, never run."""

import pickle
import warnings
import zipfile
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from hostile import FORMS, FUNCTIONS, harmful, rewritten, save
from promptatlas.backbone import checkpoints, torch_files
from promptatlas.base.errors import UserError
from promptatlas.exchange import dassl

READERS = {"weights": checkpoints.read, "Dassl": dassl.state_dict}


def assert_same(found, expected) -> None:
    assert type(found) is type(expected) and found.shape == expected.shape and found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_are_those_that_torch_saved(legacy, tmp_path):
    base = torch.arange(24.0).view(4, 6)
    held = {str(kind): (torch.randn(3, 4) * 50).to(kind) for kind in KINDS} | {
        "bool": torch.tensor([True, False]), "scalar": torch.tensor(3.5), "empty": torch.empty(0, 5), "turned": base.T,
        "part": base[1:3, ::2], "whole": base, "nan": torch.tensor([torch.nan, -0.0]), "parameter": nn.Parameter(torch.ones(2)).data,
    }  # fmt: skip
    torch.save(OrderedDict(held), tmp_path / "held.pt", _use_new_zipfile_serialization=not legacy)
    found = torch_files.read(tmp_path / "held.pt")
    assert list(found) == list(held)
    for name, value in held.items():
        assert_same(found[name], value)
        assert found[name].stride() == value.stride()


def test_parameters_are_read_as_tensors_of_the_same_numbers(tmp_path):
    torch.save({"w": nn.Parameter(torch.ones(2))}, tmp_path / "w.pt")
    assert_same(torch_files.read(tmp_path / "w.pt")["w"], torch.ones(2))


def test_a_state_dict_is_found_alone_in_a_checkpoint_and_of_several_gpus():
    one, two = torch.ones(1), torch.zeros(2)
    for held in ({"a": one, "b.c": two}, {"state_dict": {"module.a": one, "module.b.c": two}, "epoch": 3}, {"a": one, "b.c": two, "n": 7}):
        assert torch_files.state_dict(held).keys() == {"a", "b.c"}
    for held in (None, [one], {}, {1: one}, {"state_dict": {2: one}}, "state_dict"):
        assert torch_files.state_dict(held) == {}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_file_that_would_run_code_is_refused(function, form, reader, tmp_path):
    bad = harmful(function, tmp_path / "run")
    for held in (bad, {"state_dict": {"bad": bad}}, {"a": 1, "args": [bad]}):
        save(held, tmp_path / "bad.pt", form)
        words = "torch 1.6" if (form, reader) == ("legacy", "Dassl") else "bad.pt is no .* could run code"
        with pytest.raises(UserError, match=words) as caught:
            READERS[reader](tmp_path / "bad.pt")
        assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_hostile_files_above_would_run(function, tmp_path):
    """Or the test above would show nothing: each has the function that it names called."""
    called = []

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            called.append(super().find_class(module, name))
            return lambda *_: None

    save(harmful(function, tmp_path / "run"), tmp_path / "bad.pt", "archive")
    with zipfile.ZipFile(tmp_path / "bad.pt") as archive, archive.open("archive/data.pkl") as file:
        Reader(file).load()
    assert called == [function]


def test_nothing_that_a_file_names_is_ever_imported(tmp_path, monkeypatch):
    """Optimiser, schedule and numpy numbers are stand-ins: none of their modules is looked up."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.002, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    others = [
        np.float64(91.5),
        np.arange(3),
        Counter("aab"),
        defaultdict(list),
        {1, 2},
        torch.float16,
        torch.Size([2]),
        torch.device("cpu"),
    ]
    torch.save({"w": torch.ones(2), "o": optimizer.state_dict(), "s": schedule, "others": others}, tmp_path / "all.pt")
    found, original = [], torch_files._Unpickler.find_class

    def find_class(self, *name):
        found.append((".".join(name), original(self, *name)))
        return found[-1][1]

    monkeypatch.setattr(torch_files._Unpickler, "find_class", find_class)
    assert_same(torch_files.state_dict(torch_files.read(tmp_path / "all.pt"))["w"], torch.ones(2))
    names = {name for name, _ in found}
    assert {"torch.optim.sgd.SGD", "torch.optim.lr_scheduler.CosineAnnealingLR", "collections.defaultdict", "collections.Counter"} <= names
    assert any(name.endswith("multiarray.scalar") for name in names) and any(name.endswith("multiarray._reconstruct") for name in names)
    harmless = {torch_files.StandIn, torch_files._tensor, torch_files._first, OrderedDict}
    assert all(made in harmless or isinstance(made, torch.dtype) for _, made in found)
    with pytest.raises(pickle.UnpicklingError), warnings.catch_warnings(action="ignore"):
        torch.load(tmp_path / "all.pt", weights_only=True)  # torch itself would refuse the genuine file


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["get", "items", "keys", "__iter__"])
def test_a_dictionary_whose_methods_are_overwritten_is_read_as_any_other(name, legacy, tmp_path):
    class Overwritten:
        def __reduce__(self):
            return OrderedDict, (), {name: torch.Size}, None, iter([("w", torch.ones(2))])

    torch.save(Overwritten(), tmp_path / "held.pt", _use_new_zipfile_serialization=not legacy)
    assert_same(checkpoints.read(tmp_path / "held.pt").weights["w"], torch.ones(2))


def test_files_that_would_take_endless_memory_are_refused(tmp_path):
    torch.save({"ctx": torch.zeros(1).expand(10**6, 10**7)}, tmp_path / "wide.pt")
    torch.save({"ctx": torch.zeros(10)}, tmp_path / "good.pt")
    packed = rewritten(tmp_path / "good.pt", tmp_path / "packed.pt", compression=zipfile.ZIP_DEFLATED)
    for path, words in ((tmp_path / "wide.pt", "a tensor larger than its values"), (packed, "compressed values")):
        with pytest.raises(torch_files.Damaged, match=words):
            torch_files.read(path)
        for reader in READERS.values():
            with pytest.raises(UserError, match=rf"{path.name} is truncated"):
                reader(path)


@pytest.mark.parametrize("part", ["data.pkl", "data/0"])
def test_an_archive_without_a_part_is_damaged(part, tmp_path):
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as good, zipfile.ZipFile(tmp_path / "bad.pt", "w") as bad:
        for name in good.namelist():
            if not name.endswith(part):
                bad.writestr(name, good.read(name))
    with pytest.raises(torch_files.Damaged):
        torch_files.read(tmp_path / "bad.pt")


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genuine")
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    torch.save({"state_dict": model.state_dict(), "val_result": np.float64(1)}, folder / "saved.pt")
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 3)), folder / "traced.pt")
    return folder


@settings(max_examples=150, deadline=None, derandomize=True)
@given(name=st.sampled_from(["saved.pt", "traced.pt"]), place=st.floats(0, 0.999), content=st.binary(min_size=1, max_size=4))
def test_any_damage_of_the_pickle_gives_tensors_or_one_sentence(name, place, content, genuine):
    def change(member, whole):
        start = int(place * len(whole))
        return whole[:start] + content + whole[start + len(content) :] if member.endswith("/data.pkl") else whole

    path = rewritten(genuine / name, genuine / "changed.pt", change)
    for reader in READERS.values():
        said = "changed.pt"
        try:
            reader(path)
        except UserError as error:
            said = str(error)
        assert "\n" not in said and "changed.pt" in said
