"""One setting of a method: its default, what it means and which values it takes. Knows nothing of any method."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from promptatlas.base.messages import shown


@dataclass(frozen=True)
class Setting:
    """A text, a whole number or a number: what `default` is, values are.

    help: what it means, in a line. choices: of a text, the only values. learners: the name of any shared learner is a value too.
    holds: what a text must contain. zero: whether a number may be 0; none is below. most: its largest value. unsaid: the value that
    complete settings leave out, of a setting that came later: fingerprints are as they were before.
    """

    default: str | int | float
    help: str = ""
    choices: tuple[str, ...] = ()
    learners: bool = False
    holds: str = ""
    zero: bool = False
    most: float | None = None
    unsaid: str | None = None

    def __post_init__(self) -> None:
        """ValueError, with the rest of a sentence, if the default is none of the values."""
        if isinstance(self.default, bool) or not isinstance(self.default, (str, int, float)):
            raise ValueError(f"{shown(self.default)} must be a text or a number")
        self.checked(self.default)

    def having(self, default: object) -> Setting:
        """The same with another default. ValueError if that is none of the values."""
        return replace(self, default=self.checked(default))

    def checked(self, value: object) -> str | int | float:
        """`value` as the setting holds it. ValueError, with the rest of a sentence, if it is none of its values."""
        if isinstance(self.default, str):
            return self._text(value)
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            raise ValueError(f"{shown(value)} must be a {'whole ' if self.whole else ''}number")
        if value < 0 or (value == 0 and not self.zero):
            raise ValueError(f"{shown(value)} must be {'zero or more' if self.zero else 'above zero'}")
        if self.most is not None and not value <= self.most:
            raise ValueError(f"{shown(value)} must be {'' if self.zero else 'above zero and '}at most {self.most}")
        return value if self.whole else float(value)

    def _text(self, value: object) -> str:
        if self.choices and value not in self.choices:
            raise ValueError(f"{shown(value)} is not one of {', '.join(self.choices)}")
        if not isinstance(value, str) or self.holds not in value:
            raise ValueError(f"{shown(value)} must be a text" + (f" with {self.holds} for the class name" if self.holds else ""))
        return value

    @property
    def whole(self) -> bool:
        return isinstance(self.default, int)

    @property
    def allowed(self) -> str:
        """What `checked` takes, in words."""
        if self.choices:
            return ", ".join(self.choices)
        if isinstance(self.default, str):
            return f"text with {self.holds}" if self.holds else "text"
        most = "" if self.most is None else f", at most {self.most}"
        return f"{'whole number' if self.whole else 'number'}, {'0 or more' if self.zero else 'above 0'}{most}"

    @property
    def schema(self) -> dict[str, object]:
        """The same as JSON Schema."""
        about: dict[str, object] = {"description": self.help, "default": self.default}
        if self.choices:
            return about | {"enum": [*self.choices]}
        if isinstance(self.default, str):
            return about | {"type": "string"} | ({"pattern": re.escape(self.holds)} if self.holds else {})
        bound = {"minimum": 0} if self.zero else {"exclusiveMinimum": 0}
        most = {} if self.most is None else {"maximum": self.most}
        return about | {"type": "integer" if self.whole else "number"} | bound | most
