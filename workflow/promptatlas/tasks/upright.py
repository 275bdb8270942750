"""An image as a person sees it: upright, 8-bit RGB, on white, whatever way its file holds it.

Preparation and the classifier of a trained prompt read every image here. What each mode of Pillow means is in
docs/images.md.
"""

from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from PIL import ExifTags, Image

from promptatlas.base.errors import UserError

# Goes up when some kind of image is read in another way, so that what was prepared before is prepared again.
VERSION = 2

# What is opened at all, the list of docs/images.md. Others would start programs (EPS) or read what nobody looks for.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
OPAQUE = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
WITH_ALPHA = ("LA", "PA", "RGBA")
PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
WORDS = ("I;16", "I;16L", "I;16B", "I;16N")
# Formats whose grey values of mode I Pillow gives in 0..65535, whatever depth the file has.
FULL_RANGE = ("PNG", "PPM")
MOST = 65535

# By how PNG stores its values, from a stored value to the decoded one, where the two differ and Pillow does not say so.
KEYS = {"RGB;16B": lambda value: value >> 8, "L;2": lambda value: value * 85, "L;4": lambda value: value * 17}

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BITS, INTERPRETATION, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
WHITE_IS_ZERO, SIGNED = 0, 2


def upright(image: Image.Image) -> Image.Image:
    """`image`, or the first frame of an animation, in mode RGB, turned as its EXIF orientation says, composed on white.

    Colours of 8 bits stay as they are; colour profiles are not applied, as in the papers' pipelines. Raises UserError for
    numbers of which nothing says what is black and what is white, and what Pillow raises for a broken file.
    """
    load(image)
    turn = TURNS.get(_orientation(image))
    colours = _on_white(_eight_bit(image))
    return colours.transpose(turn) if turn is not None else colours


def is_turned(image: Image.Image) -> bool:
    """Whether its EXIF orientation says that it is not stored upright."""
    return _orientation(image) in TURNS


def opened(file: str | Path | BinaryIO) -> Image.Image:
    """The image of one of FORMATS in a file, not decoded yet. Raises UnidentifiedImageError for any other."""
    Image.init()  # of some formats Pillow knows only after this whether it can read them here
    return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


def load(image: Image.Image) -> None:
    """Decode `image`, a file just opened. Its transparent colour, which Pillow gives as the file writes it, then counts decoded values."""
    tile, key = getattr(image, "tile", ()), image.info.get("transparency")
    scale = KEYS.get(tile[0][3]) if tile and image.format == "PNG" else None
    if scale and key is not None:
        image.info["transparency"] = tuple(map(scale, key)) if isinstance(key, tuple) else scale(key)
    image.load()


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block raises many kinds, and the image is there all the same
        return 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image in one of the modes OPAQUE, WITH_ALPHA or PREMULTIPLIED."""
    if _tag(image, SAMPLE_FORMAT) == SIGNED:
        _refuse(f"signed whole numbers of {_tag(image, BITS)} bits")
    if image.mode in WORDS:
        return _grey(image, np.asarray(image), 2 ** (_tag(image, BITS) or 16) - 1)
    if image.mode == "I":
        if image.format not in FULL_RANGE:
            _refuse("whole numbers of 32 bits (mode I)")
        return _grey(image, np.asarray(image).clip(0, MOST), MOST)
    if image.mode == "F":
        values = np.asarray(image)
        if not (values >= 0).all() or not (values <= 1).all():
            _refuse(f"floating-point numbers (mode F) from {values.min():g} to {values.max():g}, which is not within 0 and 1")
        return _grey(image, values, 1)
    if image.mode not in (*OPAQUE, *WITH_ALPHA, *PREMULTIPLIED):
        _refuse(f"mode {image.mode}")
    return image


def _grey(image: Image.Image, values: np.ndarray, most: int) -> Image.Image:
    """Values (H, W) from 0 to `most` as grey of 8 bits, to the nearest; the transparent one, if there is any, in an alpha band."""
    if values.dtype.kind == "f":
        grey = np.rint(values * 255).astype(np.uint8)
    else:
        grey = np.rint(np.arange(most + 1) * (255 / most)).astype(np.uint8)[values]
    if _tag(image, INTERPRETATION) == WHITE_IS_ZERO:  # which Pillow sees to for 8 bits only
        grey = 255 - grey
    if "transparency" not in image.info:
        return Image.fromarray(grey)
    alpha = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in PREMULTIPLIED:
        image = image.convert(PREMULTIPLIED[image.mode])
    if image.mode not in WITH_ALPHA and "transparency" not in image.info:
        return image if image.mode == "RGB" else image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _tag(image: Image.Image, number: int) -> int | None:
    """The value, or that of the first band, of a tag of a TIFF file; None for any other file."""
    value: Any = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value


def _refuse(what: str) -> NoReturn:
    raise UserError(f"it holds {what}, and nothing says which are black and white; convert it to 8 bits")
