"""benchmarks/cost.py: an exponent is a slope, and every line of its figure can be measured and drawn."""

import pytest

import cost


def test_an_exponent_is_the_slope_of_logarithms():
    assert cost.exponent((5, 10, 40), (2 * 5**1.5, 2 * 10**1.5, 2 * 40**1.5)) == pytest.approx(1.5)


def test_what_takes_long_is_not_repeated(monkeypatch):
    now = iter([0.0, 3.0, 10.0, 10.5, 20.0, 20.4, 30.0, 30.6])
    monkeypatch.setattr(cost.time, "process_time", lambda: next(now))
    assert cost.seconds(lambda: None, 3) == 3.0
    assert cost.seconds(lambda: None, 3) == pytest.approx(0.4)


@pytest.mark.slow
def test_every_line_is_measured_and_drawn(tiny_backbone, tmp_path):
    rows = cost.measured(tiny_backbone, dict.fromkeys(cost.KINDS, (2, 3)), 1)
    assert {(row["what"], row["kind"]) for row in rows} == {(what, kind) for what, kinds in cost.KINDS.items() for kind in kinds}
    assert len(rows) == 2 * len({(row["what"], row["kind"]) for row in rows}) and all(min(row["seconds"]) > 0 for row in rows)
    cost.draw(rows, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
