"""Images become arrays as the papers' pipelines make them, once, whoever does it and however often it is interrupted."""

from pathlib import Path

import numpy as np
import pytest
from in_memory import Encoded, Interrupted, encoded, make_image
from PIL import Image
from torchvision import transforms

from promptatlas.tasks import decoding
from promptatlas.tasks.decoding import Decoding, decode, fitted


def work(folder: Path, sources, size: int = 16) -> Decoding:
    return Decoding(sources, np.arange(len(sources)), size, "crop", folder, "train-recipe")


def silent(done: int, total: int) -> None:
    pass


@pytest.mark.parametrize(("width", "height"), [(50, 40), (40, 51), (33, 97), (7, 5), (32, 32), (225, 224)])
@pytest.mark.parametrize("size", [32, 33])
def test_a_cropped_image_equals_torchvisions(width: int, height: int, size: int) -> None:
    pipeline = transforms.Compose([transforms.Resize(size, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(size)])
    source = make_image(1, width, height)
    np.testing.assert_array_equal(fitted(source, size, "crop"), np.asarray(pipeline(source)))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK", "LA"])
def test_a_squashed_image_of_any_mode_equals_torchvisions(mode: str) -> None:
    source = make_image(2, 61, 47, mode if mode != "LA" else "L").convert(mode)
    resize = transforms.Resize((24, 24), transforms.InterpolationMode.BICUBIC)
    np.testing.assert_array_equal(fitted(source, 24, "squash"), np.asarray(resize(source.convert("RGB"))))


def test_one_worker_and_three_write_the_same(tmp_path: Path) -> None:
    sources = Encoded(encoded(300))
    one = decode(work(tmp_path / "one", sources), 1, silent)
    three = decode(work(tmp_path / "three", sources), 3, silent)
    images = [np.load(work(tmp_path / name, sources).images) for name in ("one", "three")]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(one.digests, three.digests)
    np.testing.assert_array_equal(images[0][7], fitted(sources.open(7), 16, "crop"))


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    files = encoded(200)
    with pytest.raises(KeyboardInterrupt):
        decode(work(tmp_path, Interrupted(files, at=150)), 1, silent)
    opened = []

    class Watched(Encoded):
        def open(self, index: int) -> Image.Image:
            opened.append(index)
            return super().open(index)

    again = work(tmp_path, Watched(files))
    damaged = np.load(again.images, mmap_mode="r+")
    damaged[3] = 0
    damaged.flush()
    result = decode(again, 1, silent)
    assert opened == [3, *range(150, 200)]
    whole = work(tmp_path / "whole", Encoded(files))
    expected = decode(whole, 1, silent)
    np.testing.assert_array_equal(np.load(again.images), np.load(whole.images))
    np.testing.assert_array_equal(result.digests, expected.digests)


def test_broken_images_are_found_and_read_again_when_mended(tmp_path: Path) -> None:
    files = encoded(100)
    broken = [*files]
    broken[5], broken[70] = files[5][: len(files[5]) // 2], b"no picture"
    result = decode(work(tmp_path, Encoded(broken)), 2, silent)
    assert sorted(result.broken) == [5, 70] and "truncated" in result.broken[5]
    assert not decode(work(tmp_path, Encoded(files)), 1, silent).broken
    np.testing.assert_array_equal(np.load(work(tmp_path, Encoded(files)).images)[5], fitted(Encoded(files).open(5), 16, "crop"))


def test_progress_counts_every_image(tmp_path: Path) -> None:
    told = []
    decode(work(tmp_path, Encoded(encoded(3 * decoding.CHUNK))), 1, lambda done, total: told.append((done, total)))
    assert told[0] == (0, 3 * decoding.CHUNK) and told[-1] == (3 * decoding.CHUNK,) * 2 and len(told) == 4
