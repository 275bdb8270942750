"""The data of a large page: what takes most of it is deflated, so that the file stays one that can be sent.

The page inflates it before it draws (`inflate.js`). What tells of the machine stays as text that can be read and taken out.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from promptatlas.report.page import markup

READ_PLAINLY = 1_000_000  # bytes of data up to which all of it stays as it is
HEAVY = ("matrices", "pairs", "ranking", "similarity", "verdict")
HEAVY_OF_SUMMARY = ("choice", "by_method", "variance", "correlations", "contrasts", "regret", "agreement", "budget", "explained")


def fold(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same data, in a large page with the heavy parts under `folded`: their size in bytes, and as base64 of raw deflate (RFC 1951) what
    they are beside the others, those of the summary in `summary`."""
    if len(markup.embedded(data).encode()) <= READ_PLAINLY:
        return dict(data)
    summary = data["summary"]
    heavy = {name: data[name] for name in HEAVY} | {"summary": {name: summary[name] for name in HEAVY_OF_SUMMARY if name in summary}}
    content = json.dumps(heavy, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    deflate = zlib.compressobj(9, wbits=-15)
    text = base64.b64encode(deflate.compress(content) + deflate.flush()).decode()
    rest = {name: one for name, one in data.items() if name not in HEAVY}
    return rest | {
        "summary": {name: one for name, one in summary.items() if name not in HEAVY_OF_SUMMARY},
        "folded": {"bytes": len(content), "text": text},
    }
