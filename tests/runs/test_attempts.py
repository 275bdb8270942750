"""What fails among many results computed at once is told apart; what no result is to blame for ends the job."""

import errno

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from promptatlas.base.errors import Failed, UserError, cause, of_the_disk
from promptatlas.base.files import replace
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.runs.attempts import alone, apart, each
from promptatlas.tasks import metrics


def halved(poison: set[int], error: Exception):
    """Doubles numbers, all or none; and the sizes of the batches that were tried."""
    sizes: list[int] = []

    def compute(numbers):
        sizes.append(len(numbers))
        if poison & {*numbers}:
            raise error
        return [2 * number for number in numbers]

    return compute, sizes


@pytest.mark.parametrize("poison", [set(), {0}, {5}, {2, 3}, {*range(7)}])
def test_only_the_poisoned_results_fail(poison):
    compute, sizes = halved(poison, UserError("it is poisoned"))
    parted = each(compute, range(7))
    assert [*parted.failed] == sorted(poison) and [*parted.sound.items()] == [(n, 2 * n) for n in range(7) if n not in poison]
    assert {str(one) for one in parted.failed.values()} <= {"it is poisoned"}
    assert sizes[0] == 7 and len(sizes) <= 2 * 7 - 1


def test_memory_that_runs_out_for_many_is_enough_for_few():
    def compute(numbers):
        if len(numbers) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(numbers)

    assert each(compute, range(9)).sound == dict(enumerate(range(9)))


def test_memory_that_runs_out_for_one_is_a_reason():
    compute, _ = halved({1}, torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 TiB"))
    failed = each(compute, [0, 1]).failed[1]
    assert "GPU memory runs out even for a single result" in str(failed) and not failed.details


def test_an_error_of_the_program_says_where():
    with pytest.raises(Failed) as told:
        alone(lambda: {}["missing"])
    assert str(told.value) == "KeyError: 'missing' (an error of the program)" and "test_attempts.py" in told.value.details


def test_what_was_made_of_too_few_items_is_an_error_of_the_job():
    with pytest.raises(ValueError, match="zip"):
        each(lambda some: [*some][1:], [1, 2, 3])


def test_each_by_itself_is_tried_once():
    tried: list[int] = []

    def compute(number: int) -> float:
        tried.append(number)
        return 1 / number

    parted = apart(compute, [2, 0, 1])
    assert [*parted.sound.items()] == [(2, 0.5), (1, 1.0)] and [*parted.failed] == [0] and tried == [2, 0, 1]
    assert alone(lambda: 3) == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/results/x"), "the disk is full (/results/x)"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk quota is used up"),
        (OSError(errno.EROFS, "Read-only file system"), "the file system is read-only"),
        (OSError("1000 requested and 12 written"), "the disk is full"),
        (SafetensorError("Error while serializing: IoError(Os { message: os error 28 })"), "the disk is full"),
    ],
)
def test_a_disk_that_takes_no_file_ends_the_job(error, words):
    compute, sizes = halved({1}, error)
    with pytest.raises(type(error)):
        each(compute, [0, 1, 2])
    assert sizes == [3] and str(of_the_disk(error)).startswith(words) and "run the same command again" in str(of_the_disk(error))


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "no such file"), ValueError("28"), UserError("os error 28")])
def test_other_errors_are_not_blamed_on_the_disk(error):
    assert of_the_disk(error) is None


def test_a_broken_gpu_ends_the_job():
    compute, sizes = halved({0}, torch.AcceleratorError("CUDA error: unspecified launch failure"))
    with pytest.raises(UserError, match="the GPU stopped working"):
        each(compute, [0, 1])
    assert sizes == [2]


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "roc_auc"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_answers_that_are_not_numbers_have_no_score(metric, wrong):
    logits = np.zeros((6, 2))
    logits[4, 1] = wrong
    with pytest.raises(UserError, match="the answers for 1 of 6 images are not numbers"):
        metrics.score(metric, logits, np.array([0, 1, 0, 1, 0, 1]))


def test_a_failed_prompt_says_why_and_never_holds(tmp_path):
    path = tmp_path / "prompt.safetensors"
    replace(path, PROMPT.failed(Failed("the loss is not a number"), {"method": "coop"}))
    with pytest.raises(Failed, match="the loss is not a number"):
        TunedPrompt.load(path)
    assert not PROMPT.holds(path, "any fingerprint") and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("error", [MemoryError(), None])
def test_memory_of_the_machine_that_runs_out_is_a_reason(error):
    failed = each(halved({1}, error)[0] if error else lambda _: [torch.empty(2**60)], [1]).failed[1]
    assert str(failed).startswith("memory runs out even for a single result") and not failed.details


def test_of_a_chain_of_failures_the_cause_is_what_counts():
    assert cause("source prompt failed: draw failed: task 'scan' has no validation images") == "task 'scan' has no validation images"
    assert cause("the prompt of a seed failed: coop on a: the loss is not a number") == "coop on a: the loss is not a number"
    assert cause("task 'x': what failed: is part of the sentence") == "task 'x': what failed: is part of the sentence"
