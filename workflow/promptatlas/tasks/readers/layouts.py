"""Where torchvision's data sets expect their files, and which of them torchvision cannot download. Facts only.

Read off torchvision 0.29; `{year}` and the like stand for arguments of the split.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExpectedFiles:
    """files: what must be there, alternatives joined by "|"; by_hand: how to get what torchvision does not download."""

    files: tuple[str, ...]
    by_hand: str = ""
    root: str = "."


def _idx(folder: str) -> ExpectedFiles:
    names = [f"{split}-{what}-ubyte" for split in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
    return ExpectedFiles(tuple(f"{folder}/raw/{name}|{folder}/raw/{name}.gz" for name in names))


_PCAM = tuple(f"pcam/camelyonpatch_level_2_split_{split}_{part}.h5" for split in ("train", "test") for part in "xy")

LAYOUTS = {
    "MNIST": _idx("MNIST"),
    "FashionMNIST": _idx("FashionMNIST"),
    "KMNIST": _idx("KMNIST"),
    "CIFAR10": ExpectedFiles(("cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch")),
    "CIFAR100": ExpectedFiles(("cifar-100-python/train", "cifar-100-python/test")),
    "Caltech101": ExpectedFiles(("caltech101/101_ObjectCategories",)),
    "Caltech256": ExpectedFiles(("caltech256/256_ObjectCategories",)),
    "Country211": ExpectedFiles(("country211/{split}",)),
    "DTD": ExpectedFiles(("dtd/dtd/images", "dtd/dtd/labels")),
    "EuroSAT": ExpectedFiles(("eurosat/2750",)),
    "FER2013": ExpectedFiles(
        ("fer2013/fer2013.csv|fer2013/icml_face_data.csv",),
        "fer2013.csv (or icml_face_data.csv) of Kaggle's Challenges in Representation Learning: Facial Expression "
        "Recognition goes to {root}/fer2013/; it needs a Kaggle account",
    ),
    "FGVCAircraft": ExpectedFiles(("fgvc-aircraft-2013b/data/images", "fgvc-aircraft-2013b/data/variants.txt")),
    "Flowers102": ExpectedFiles(("flowers-102/jpg", "flowers-102/imagelabels.mat", "flowers-102/setid.mat")),
    "Food101": ExpectedFiles(("food-101/images", "food-101/meta")),
    "GTSRB": ExpectedFiles(("gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test/Images", "gtsrb/GT-final_test.csv")),
    "ImageNet": ExpectedFiles(
        ("meta.bin|ILSVRC2012_devkit_t12.tar.gz", "val|ILSVRC2012_img_val.tar"),
        "ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz of image-net.org, for which "
        "one registers, go to {root}/ and are unpacked there",
        root="imagenet",
    ),
    "OxfordIIITPet": ExpectedFiles(("oxford-iiit-pet/images", "oxford-iiit-pet/annotations")),
    "PCAM": ExpectedFiles(_PCAM),
    "RenderedSST2": ExpectedFiles(("rendered-sst2/train", "rendered-sst2/test")),
    "StanfordCars": ExpectedFiles(
        (
            "stanford_cars/cars_train",
            "stanford_cars/cars_test",
            "stanford_cars/devkit/cars_meta.mat",
            "stanford_cars/devkit/cars_train_annos.mat",
            "stanford_cars/cars_test_annos_withlabels.mat",
        ),
        "the images go to {root}/stanford_cars/cars_train and cars_test, cars_meta.mat and cars_train_annos.mat to "
        "{root}/stanford_cars/devkit, cars_test_annos_withlabels.mat to {root}/stanford_cars; the publisher's pages "
        "are gone (pytorch/vision issue 7545 names copies)",
    ),
    "SUN397": ExpectedFiles(("SUN397/ClassName.txt",)),
    "STL10": ExpectedFiles(("stl10_binary/train_X.bin", "stl10_binary/test_X.bin")),
    "SVHN": ExpectedFiles(("{split}_32x32.mat",), root="svhn"),
    "USPS": ExpectedFiles(("usps.bz2", "usps.t.bz2"), root="usps"),
    "VOCDetection": ExpectedFiles(
        (
            "VOCdevkit/VOC{year}/JPEGImages",
            "VOCdevkit/VOC{year}/Annotations",
            "VOCdevkit/VOC{year}/ImageSets/Main/{image_set}.txt",
        )
    ),
}
