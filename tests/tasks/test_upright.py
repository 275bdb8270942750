"""Images of every kind are read as a person sees them: right way up, with their own black and white, on white."""

import io

import image_files
import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

from promptatlas.base.errors import UserError
from promptatlas.tasks.upright import FORMATS, opened, upright

SHAPE = (6, 8)


def numbers(most: int, bands: int = 0, seed: int = 0) -> np.ndarray:
    """Whole numbers from 0 to `most`, both ends among them."""
    values = np.random.default_rng(seed).integers(0, most + 1, (*SHAPE, bands) if bands else SHAPE)
    values[0, 0], values[-1, -1] = 0, most
    return values


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def seen(file: bytes) -> np.ndarray:
    image = upright(Image.open(io.BytesIO(file)))
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def grey(shares: np.ndarray) -> np.ndarray:
    """Shares of white (H, W) as the nearest of 256 greys, the same in all three bands."""
    return np.repeat(np.floor(shares * 255 + 0.5).astype(int)[..., None], 3, axis=2)


def near(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether no value is off by more than one: libraries round in different ways."""
    return np.abs(found - expected).max() <= 1


DEEP = numbers(65535)
TWELVE = numbers(4095).astype(np.uint16)
UNIT = np.random.default_rng(1).random(SHAPE)


@pytest.mark.parametrize(
    ("file", "shares"),
    [
        (image_files.png(DEEP.astype(np.uint16)), DEEP / 65535),
        (saved(Image.fromarray(DEEP.astype(np.uint16)), "PNG"), DEEP / 65535),
        (saved(Image.fromarray(DEEP.astype(np.uint16)), "TIFF"), DEEP / 65535),
        (saved(Image.fromarray(DEEP.astype(np.uint16)), "TIFF", compression="tiff_lzw"), DEEP / 65535),
        (saved(Image.fromarray(DEEP.astype(np.uint16)), "JPEG2000", irreversible=False), DEEP / 65535),
        (image_files.tiff(DEEP.astype(np.uint16), "<"), DEEP / 65535),
        (image_files.tiff(DEEP.astype(np.uint16), ">"), DEEP / 65535),
        (image_files.tiff(DEEP.astype(np.uint16), "<", white_is_zero=True), 1 - DEEP / 65535),
        (image_files.tiff(TWELVE, "<", bits=12), TWELVE / 4095),
        (image_files.tiff(numbers(255).astype(np.uint8), "<", white_is_zero=True), 1 - numbers(255) / 255),
        (image_files.tiff(UNIT.astype(np.float32), "<"), UNIT.astype(np.float32)),
        (image_files.tiff(UNIT.astype(np.float32), ">"), UNIT.astype(np.float32)),
        (image_files.tiff(UNIT.astype(np.float32), "<", white_is_zero=True), 1 - UNIT.astype(np.float32)),
        (image_files.pfm(UNIT), UNIT.astype(np.float32)),
        (image_files.pgm(numbers(255), 255), numbers(255) / 255),
        (image_files.pgm(DEEP, 65535), DEEP / 65535),
        (image_files.pgm(TWELVE, 4095), TWELVE / 4095),
        (image_files.pgm(numbers(1023), 1023), numbers(1023) / 1023),
        (image_files.pgm(numbers(40000), 40000), numbers(40000) / 40000),
        (image_files.pgm(numbers(100), 100), numbers(100) / 100),
        (image_files.pgm(numbers(15), 15), numbers(15) / 15),
    ],
)
def test_grey_of_any_depth_keeps_its_black_and_its_white(file: bytes, shares: np.ndarray) -> None:
    assert near(seen(file), grey(shares))


def test_sixteen_bit_twins_of_eight_bit_images_are_equal_to_them() -> None:
    plain = numbers(255)
    for file in (image_files.png((plain * 257).astype(np.uint16)), image_files.tiff((plain * 257).astype(np.uint16), ">")):
        np.testing.assert_array_equal(seen(file), grey(plain / 255))
    colours = numbers(255, 3)
    np.testing.assert_array_equal(seen(image_files.png((colours * 257).astype(np.uint16))), colours)
    np.testing.assert_array_equal(seen(image_files.pgm(colours * 257, 65535)), colours)


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I;16N"])
def test_words_in_memory_are_scaled_in_either_order_of_bytes(mode: str) -> None:
    order = ">u2" if mode == "I;16B" else "<u2"
    image = Image.frombytes(mode, SHAPE[::-1], DEEP.astype(order).tobytes())
    np.testing.assert_array_equal(np.asarray(upright(image)), grey(DEEP / 65535))


def test_plain_images_do_not_change_by_a_bit() -> None:
    colours = Image.fromarray(numbers(255, 3).astype(np.uint8))
    assert upright(colours) is colours
    for mode in ("L", "1", "P", "CMYK", "YCbCr", "HSV"):
        image = colours.convert(mode)
        np.testing.assert_array_equal(np.asarray(upright(image)), np.asarray(image.convert("RGB")))
    for mode in ("RGBA", "LA", "PA"):
        image = colours.convert("L").convert("LA").convert("PA") if mode == "PA" else colours.convert(mode)
        np.testing.assert_array_equal(np.asarray(upright(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (image_files.tiff(numbers(200).astype(np.int8)), "signed whole numbers of 8 bits"),
        (image_files.tiff((DEEP // 2).astype(np.int16)), "signed whole numbers of 16 bits"),
        (image_files.tiff((DEEP // 2).astype(np.int16), ">"), "signed whole numbers of 16 bits"),
        (image_files.tiff(DEEP.astype(np.int32)), "signed whole numbers of 32 bits"),
        (image_files.tiff(DEEP.astype(np.uint32)), "whole numbers of 32 bits"),
        (image_files.tiff((UNIT * 255).astype(np.float32)), "floating-point .* which is not within 0 and 1"),
        (image_files.tiff((UNIT - 0.5).astype(np.float32)), "floating-point .* from -"),
        (image_files.tiff(np.where(UNIT > 0.5, np.nan, UNIT).astype(np.float32)), "floating-point .* nan"),
        (image_files.pfm(UNIT * 3), "floating-point"),
    ],
)
def test_numbers_without_a_known_black_and_white_are_refused(file: bytes, words: str) -> None:
    with pytest.raises(UserError, match=f"{words}.*convert it to 8 bits") as error:
        upright(Image.open(io.BytesIO(file)))
    assert "\n" not in str(error.value)


def test_whole_numbers_of_32_bits_in_memory_are_refused() -> None:
    with pytest.raises(UserError, match="mode I"):
        upright(Image.fromarray(DEEP.astype(np.int32)))


def on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return colours * (alpha / 255)[..., None] + 255 * (1 - alpha / 255)[..., None]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG2000"])
def test_what_is_transparent_is_white(kind: str) -> None:
    bands = numbers(255, 4)
    options = {"WEBP": {"lossless": True, "exact": True}, "JPEG2000": {"irreversible": False}}.get(kind, {})
    file = saved(Image.fromarray(bands.astype(np.uint8)), kind, **options)
    assert near(seen(file), on_white(bands[..., :3], bands[..., 3]))


def test_transparency_of_every_kind_is_composed_on_white() -> None:
    colours, alpha = numbers(255, 3).astype(np.uint8), numbers(255, seed=3).astype(np.uint8)
    image = Image.fromarray(colours)
    with_alpha = image.copy()
    with_alpha.putalpha(Image.fromarray(alpha))
    expected = on_white(colours.astype(int), alpha)
    assert near(np.asarray(upright(with_alpha)).astype(int), expected)
    assert np.abs(np.asarray(upright(with_alpha.convert("RGBa"))).astype(int) - expected).max() <= 2
    light = np.asarray(image.convert("L"))
    two = Image.merge("LA", (image.convert("L"), Image.fromarray(alpha)))
    expected = on_white(np.repeat(light[..., None], 3, 2).astype(int), alpha)
    assert near(np.asarray(upright(two)).astype(int), expected)
    assert np.abs(np.asarray(upright(two.convert("La"))).astype(int) - expected).max() <= 2
    table = with_alpha.convert("PA")
    expected = on_white(np.asarray(table.convert("RGB")).astype(int), alpha)
    assert near(np.asarray(upright(table)).astype(int), expected)


def test_sixteen_bits_with_an_alpha_band() -> None:
    for bands in (2, 4):
        values = numbers(65535, bands)
        colours = values[..., :-1] if bands == 4 else np.repeat(values[..., :1], 3, axis=2)
        expected = on_white(colours / 257, values[..., -1] / 257)
        assert np.abs(seen(image_files.png(values.astype(np.uint16))) - expected).max() <= 2


def test_a_colour_that_stands_for_transparent_is_white() -> None:
    colours = np.where(numbers(1)[..., None], 10, np.array([200, 30, 40])).astype(np.uint8)
    expected = np.where((colours == 10).all(-1, keepdims=True), 255, colours)
    np.testing.assert_array_equal(seen(image_files.png(colours, (10, 10, 10))), expected)
    light = np.where(numbers(1), 10, 90).astype(np.uint8)
    np.testing.assert_array_equal(seen(image_files.png(light, (10,))), grey(np.where(light == 10, 255, 90) / 255))
    deep = np.where(numbers(1), 1000, 30000).astype(np.uint16)
    np.testing.assert_array_equal(seen(image_files.png(deep, (1000,))), grey(np.where(deep == 1000, 65535, 30000) / 65535))
    colours = np.where(numbers(1)[..., None], 40000, np.array([200, 30000, 60000])).astype(np.uint16)
    expected = np.where((colours == 40000).all(-1, keepdims=True), 255, colours >> 8)
    assert near(seen(image_files.png(colours, (40000,) * 3)), expected)
    assert near(seen(image_files.png(colours, (200,) * 3)), colours >> 8)
    for bits in (2, 4):
        few = numbers(2**bits - 1).astype(np.uint8)
        shares = np.where(few == 1, 1, few / (2**bits - 1))
        np.testing.assert_array_equal(seen(image_files.png(few, (1,), bits)), grey(shares))
    table = Image.frombytes("P", SHAPE[::-1], numbers(2).astype(np.uint8).tobytes())
    table.putpalette([0, 0, 0, 200, 30, 40, 10, 20, 30])
    shown = np.array([[255, 255, 255], [200, 30, 40], [10, 20, 30]])[numbers(2)]
    for kind in ("PNG", "GIF"):
        np.testing.assert_array_equal(seen(saved(table, kind, transparency=0)), shown)
    partly = saved(table, "PNG", transparency=bytes([0, 128, 255]))
    expected = on_white(np.array(table.getpalette()[:9]).reshape(3, 3)[numbers(2)], np.array([0, 128, 255])[numbers(2)])
    assert near(seen(partly), expected)


TURNED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", TURNED)
def test_an_image_is_turned_as_its_orientation_says(orientation: int, kind: str) -> None:
    colours = np.zeros((64, 96, 3), np.uint8)
    colours[:32, :48], colours[:32, 48:], colours[32:, :48] = (250, 20, 20), (20, 250, 20), (20, 20, 250)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}, "AVIF": {"quality": 98}}.get(kind, {})
    loss = 4 if kind in ("JPEG", "AVIF") else 0
    found = seen(saved(Image.fromarray(colours), kind, exif=exif, **options))
    expected = TURNED[orientation](colours).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() <= loss


@pytest.mark.parametrize("orientation", TURNED)
def test_deep_grey_and_palettes_are_turned_too(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    deep = Image.fromarray(DEEP.astype(np.uint16))
    np.testing.assert_array_equal(seen(saved(deep, "PNG", exif=exif)), TURNED[orientation](grey(DEEP / 65535)))
    file = image_files.tiff(DEEP.astype(np.uint16), "<", orientation=orientation)
    np.testing.assert_array_equal(seen(file), TURNED[orientation](grey(DEEP / 65535)))
    table = Image.fromarray(numbers(255).astype(np.uint8)).convert("P")
    expected = TURNED[orientation](np.asarray(table.convert("RGB")))
    np.testing.assert_array_equal(seen(saved(table, "PNG", exif=exif)), expected)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_means_nothing_turns_nothing(value: int) -> None:
    exif, colours = Image.Exif(), numbers(255, 3).astype(np.uint8)
    exif[0x0112] = value
    np.testing.assert_array_equal(seen(saved(Image.fromarray(colours), "PNG", exif=exif)), colours)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"])
def test_a_broken_exif_block_does_not_cost_the_image(block: bytes) -> None:
    colours = Image.new("RGB", (20, 10), (200, 100, 50))
    for kind in ("JPEG", "PNG", "WEBP"):
        file = saved(colours, kind, exif=block)
        assert seen(file).shape == (10, 20, 3) and np.abs(seen(file) - (200, 100, 50)).max() < 8


def test_the_orientation_that_xmp_gives_counts_where_exif_gives_none() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    file = saved(Image.new("RGB", (20, 10)), "JPEG", xmp=xmp)
    assert seen(file).shape == (20, 10, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (12, 10), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = seen(saved(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert found.shape == (10, 12, 3) and np.abs(found - (255, 0, 0)).max() <= (3 if kind == "AVIF" else 0)


def test_cmyk_and_lab_files_show_their_colours() -> None:
    ink = np.zeros((*SHAPE, 4), np.uint8)
    ink[:, :4] = (0, 255, 255, 0)
    ink[:, 4:] = (0, 0, 0, 255)
    red_and_black = np.zeros((*SHAPE, 3), int)
    red_and_black[:, :4, 0] = 255
    image = Image.frombytes("CMYK", SHAPE[::-1], ink.tobytes())
    assert near(seen(saved(image, "TIFF")), red_and_black)
    assert np.abs(seen(saved(image, "JPEG", quality=100, subsampling=0)) - red_and_black).mean() < 4
    lab = Image.frombytes("LAB", (2, 1), bytes([255, 0, 0, 0, 0, 0]))
    assert np.abs(seen(saved(lab, "TIFF")) - [[[255] * 3, [0] * 3]]).max() <= 2


def test_a_colour_profile_changes_nothing() -> None:
    colours = Image.fromarray(numbers(255, 3).astype(np.uint8))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    np.testing.assert_array_equal(seen(saved(colours, "PNG", icc_profile=profile)), np.asarray(colours))


def test_only_the_documented_formats_are_opened(tmp_path) -> None:
    """EPS would start Ghostscript. The suffix does not count."""
    from promptatlas.tasks.readers.files import opened as decoded

    for kind in ("EPS", "PDF", "TGA", "ICO", "PCX"):
        path = tmp_path / f"{kind}.png"
        Image.new("RGB", (32, 32)).save(path, kind)
        with pytest.raises(UnidentifiedImageError):
            opened(path)
        with pytest.raises(OSError, match="of no kind of image that can be read"):
            decoded(path)
    for kind in FORMATS:
        if kind in Image.SAVE:
            path = tmp_path / f"{kind}.eps"
            Image.new("RGB", (32, 32)).save(path, kind)
            assert decoded(path).size == (32, 32)
    Image.new("RGB", (8, 8)).save(tmp_path / "several.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert decoded(tmp_path / "several.jpg").size == (8, 8)


def test_every_image_file_is_opened_in_one_place() -> None:
    """So that no reader opens what preparation would not."""
    from pathlib import Path

    library = Path(upright.__globals__["__file__"]).parents[1]
    assert [path.name for path in library.rglob("*.py") if "Image.open(" in path.read_text()] == ["upright.py"]
