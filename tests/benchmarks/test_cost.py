"""benchmarks/cost.py at toy size: exponents of known powers, and a row and a line for whatever is measured."""

import pytest

import cost


def test_the_exponent_of_a_power_is_found():
    sizes = (5, 10, 20, 40)
    assert cost.exponent(sizes, [0.3 * size**1.7 for size in sizes]) == pytest.approx(1.7)
    assert cost.exponent(sizes, [2.0] * 4) == pytest.approx(0)


def test_what_takes_long_is_not_repeated(monkeypatch):
    now = iter([0.0, 3.0, 10.0, 10.5, 20.0, 20.4, 30.0, 30.6])
    monkeypatch.setattr(cost.time, "process_time", lambda: next(now))
    assert cost.seconds(lambda: None, 3) == 3.0
    assert cost.seconds(lambda: None, 3) == pytest.approx(0.4)


@pytest.mark.slow
def test_everything_is_measured_and_drawn(tiny_backbone, tmp_path):
    every = {"tasks": (1, 2), "classes": (2, 3), "prompts": (1, 2), "images": (2, 4)}
    rows = cost.measured(tiny_backbone, every, repeats=1)
    assert [(row["what"], row["kind"]) for row in rows[::2]] == [
        ("tasks", "matrix"), ("classes", "step"), ("classes", "column"), ("prompts", "step"), ("prompts", "column"), ("images", "column")
    ]  # fmt: skip
    assert all(len(row["seconds"]) == len(row["sizes"]) and min(row["seconds"]) > 0 for row in rows)
    cost.draw(rows, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").stat().st_size > 5000
