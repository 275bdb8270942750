"""What a study will take, from speeds measured here: printed for the commands `plan` and `check`."""

import sys

from promptatlas.study.study import Study


def tell(study: Study, devices: int | None = None) -> None:
    """devices: GPUs, or cores without one, that work at once; those here if it is not given."""
    print(f"measuring what {study.name} needs on this device, about 20 s ...", file=sys.stderr)

    from promptatlas.plan import budget

    found = budget.measured_here(study)
    print("\n".join(budget.lines(found, devices or budget.devices_here(found))))
