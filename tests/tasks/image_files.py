"""Image files written by hand, byte by byte, of the kinds that Pillow opens in other ways than it writes them."""

import struct
import zlib

import numpy as np

COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by the number of bands


def png(values: np.ndarray, transparent: tuple[int, ...] = (), bits: int | None = None) -> bytes:
    """Values (H, W) or (H, W, bands), uint8 or uint16, as they are; `transparent` is the colour key; `bits`: 2 or 4, that
    several grey values share a byte.
    """
    height, width = values.shape[:2]
    bands = values.shape[2] if values.ndim == 3 else 1
    if bits:
        values = sum(values[:, place :: 8 // bits] << (8 - bits * (place + 1)) for place in range(8 // bits)).astype(np.uint8)
    rows = b"".join(b"\0" + row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, bits or values.dtype.itemsize * 8, COLOUR[bands], 0, 0, 0)
    key = _chunk(b"tRNS", struct.pack(f">{bands}H", *transparent)) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + key + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pgm(values: np.ndarray, most: int) -> bytes:
    """Values (H, W) or (H, W, 3) of which `most` is white, one byte each up to 255, two above."""
    height, width = values.shape[:2]
    body = values.astype(">u2" if most > 255 else "u1").tobytes()
    return f"P{6 if values.ndim == 3 else 5}\n{width} {height}\n{most}\n".encode() + body


def pfm(values: np.ndarray) -> bytes:
    """Values (H, W) as floating-point numbers, the last row first."""
    height, width = values.shape
    return f"Pf\n{width} {height}\n-1.0\n".encode() + values[::-1].astype("<f4").tobytes()


def tiff(
    values: np.ndarray, order: str = "<", white_is_zero: bool = False, bits: int | None = None, orientation: int | None = None
) -> bytes:
    """Values (H, W) of any type in one strip; `bits`: 12 packs two numbers into three bytes."""
    height, width = values.shape
    data = _packed(values) if bits == 12 else values.astype(values.dtype.newbyteorder(order)).tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {256: width, 257: height, 258: bits or values.dtype.itemsize * 8, 259: 1, 262: int(not white_is_zero), 273: 0}
    tags |= {274: orientation or 1, 277: 1, 278: height, 279: len(data), 339: kind}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack(f"{order}HHII", number, 4, 1, value) for number, value in tags.items())
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + data


def _packed(values: np.ndarray) -> bytes:
    """Numbers of 12 bits, two in three bytes, the high bits first."""
    first, second = values[:, 0::2].astype(np.uint32), values[:, 1::2].astype(np.uint32)
    three = np.stack([first >> 4, ((first & 15) << 4) | (second >> 8), second & 255], axis=-1)
    return three.astype(np.uint8).tobytes()
