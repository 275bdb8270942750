"""The registry of protocols: how a source's prompt is used on a target, and how its matrix is called in words.

A protocol that is registered, here or from outside (`plugins` in the configuration), may be listed under `protocols`: its cells, tables,
figures and its place on the page follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown
from promptatlas.base.registry import Registry, require_column
from promptatlas.base.signatures import require

Settings = Mapping[str, Any]
ALL = "all"
SCRATCH, TEMPLATE = CALIBRATION = (
    "scratch",
    "template",
)  # rows that every study has beside its tasks: the untuned and the zero-shot prompt


@dataclass(frozen=True)
class Protocol:
    """A way to use a source's prompt on a target.

    name: what tables and folders call it; title: what is done with the source's prompt; rows, columns: how those of its matrix are
    called; after: what the title of a figure has after the method; scratch: the row of the untrained prompt, and parts: the parts of
    its variance, where they are called otherwise than usual. baseline: the row over which gains are shown first, "scratch" or "template".

    settings: from those of a method, and the configuration, the ones with which prompts are tuned on the target; None: they are not.
    targets_per_job: where the configuration leaves it open. Tuning from every source takes so long that cores would wait at the end for
    the one with the most to do.
    """

    name: str
    title: str
    rows: str
    columns: str
    after: str = ""
    scratch: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    settings: Callable[[Settings, Settings], dict[str, Any]] | None = None
    targets_per_job: int | str = ALL
    baseline: str = ""

    def __post_init__(self) -> None:
        """UserError for a row that there is not."""
        if not self.baseline:
            object.__setattr__(self, "baseline", SCRATCH if self.tunes else TEMPLATE)
        if self.baseline not in CALIBRATION:
            raise UserError(f"protocol {shown(self.name)}: its baseline is {shown(self.baseline)}; it is one of {', '.join(CALIBRATION)}")
        if self.settings is not None:
            require(f"protocol {shown(self.name)}: its `settings`", self.settings, ("settings", "config"))

    @property
    def tunes(self) -> bool:
        """Whether prompts are tuned on the target, from the source's as their start; otherwise they are used as they are."""
        return self.settings is not None


PROTOCOLS: Registry[Protocol] = Registry("protocol")


def register(protocol: Protocol) -> Protocol:
    """Add a protocol. UserError for a name that is taken or that no folder and column could have."""
    require_column("protocol", protocol.name)
    PROTOCOLS.add(protocol.name, protocol)
    return protocol


def _as_init_says(settings: Settings, config: Settings) -> dict[str, Any]:
    """The method's own, with the number of epochs under `init` in the configuration."""
    epochs = config["init"]["epochs"]
    return {**settings} if epochs == "method" else {**settings, "epochs": epochs}


FROZEN = register(
    Protocol(
        "frozen",
        title="applied unchanged",
        rows="source: the task the prompt was trained on",
        columns="target: the task it is used on",
    )
)
INIT = register(
    Protocol(
        "init",
        title="started from and tuned on the target",
        rows="source: the task whose prompt tuning starts from",
        columns="target: the task the prompt is tuned and used on",
        after=", tuned on the target (init)",
        scratch="tuned from an untrained start",
        parts={"target": "how much tuning on the target gains"},
        settings=_as_init_says,
        targets_per_job=5,
    )
)
PROTOCOLS.seal()
