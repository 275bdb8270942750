"""A configuration file as it is read, unchecked: YAML, or JSON, in which every key is given once. Knows nothing of what keys there are."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain


class _Twice(yaml.YAMLError):
    """A key that a mapping has twice, of which YAML would take the last without a word. about: the rest of a sentence."""

    def __init__(self, about: str) -> None:
        self.about = about


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        lines: dict[str, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if key.value in lines and key.value != "<<":
                raise _Twice(f"gives `{plain(key.value)}` twice, at lines {lines[key.value]} and {line}; keep one of them")
            lines[key.value] = line
        return super().construct_mapping(node, deep)


def load(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file at `path`, unchecked."""
    content = ""
    try:
        content = text_files.read(path)
        config = _parsed(content)
    except FileNotFoundError:
        raise UserError(
            f"the configuration file {path} does not exist; run this in the project's folder or name a file with --configfile"
        ) from None
    except OSError as error:
        raise UserError(f"the configuration file {path} cannot be read ({error.strerror}); name another with --configfile") from None
    except _Twice as twice:
        raise UserError(f"the configuration file {path} {twice.about}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"the configuration file {path} is not valid YAML{_where(error, content)}; mend it and run again") from None
    if not isinstance(config, dict):
        raise UserError(f"the configuration file {path} must hold keys and values, such as `study: mini`")
    return config


def _parsed(content: str) -> Any:
    """YAML, or JSON, of which YAML does not take the tabs."""
    with suppress(ValueError):
        return json.loads(content)
    return yaml.load(content, _Loader)


def _where(error: Exception, content: str) -> str:
    """The line of a mistake, and what it is most often."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    lines = content.splitlines()
    tab = mark.line < len(lines) and "\t" in lines[mark.line]
    return f" at line {mark.line + 1}" + (", which has a tab where YAML wants spaces" if tab else "")
