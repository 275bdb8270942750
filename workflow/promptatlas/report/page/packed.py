"""Data that the page reads only when they are asked for: JSON, gzipped, as base64.

No text of the machine belongs into them: whoever publishes a page takes the names of folders out of what can be read in it.
"""

import base64
import gzip
import json
from typing import Any


def packed(data: Any) -> str:
    """The same data give the same text."""
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def unpacked(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))
