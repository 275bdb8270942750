"""Where torchvision's data sets expect their files, and which of them torchvision cannot download. Facts only.

Read off torchvision 0.29; `{year}` and the like stand for arguments of the split. Knows nothing of what files hold.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """files: what must be there, alternatives joined by "|"; by_hand: how to get what torchvision does not download."""

    files: tuple[str, ...]
    by_hand: str = ""
    root: str = "."


def _idx(folder: str) -> Layout:
    names = [f"{split}-{what}-ubyte" for split in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
    return Layout(tuple(f"{folder}/raw/{name}|{folder}/raw/{name}.gz" for name in names))


_PCAM = tuple(f"pcam/camelyonpatch_level_2_split_{split}_{part}.h5" for split in ("train", "test") for part in "xy")

LAYOUTS = {
    "MNIST": _idx("MNIST"),
    "FashionMNIST": _idx("FashionMNIST"),
    "KMNIST": _idx("KMNIST"),
    "CIFAR10": Layout(("cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch")),
    "CIFAR100": Layout(("cifar-100-python/train", "cifar-100-python/test")),
    "Caltech101": Layout(("caltech101/101_ObjectCategories",)),
    "Caltech256": Layout(("caltech256/256_ObjectCategories",)),
    "Country211": Layout(("country211/{split}",)),
    "DTD": Layout(("dtd/dtd/images", "dtd/dtd/labels")),
    "EuroSAT": Layout(("eurosat/2750",)),
    "FER2013": Layout(
        ("fer2013/fer2013.csv|fer2013/icml_face_data.csv",),
        "fer2013.csv (or icml_face_data.csv) of Kaggle's Challenges in Representation Learning: Facial Expression "
        "Recognition goes to {root}/fer2013/; it needs a Kaggle account",
    ),
    "FGVCAircraft": Layout(("fgvc-aircraft-2013b/data/images", "fgvc-aircraft-2013b/data/variants.txt")),
    "Flowers102": Layout(("flowers-102/jpg", "flowers-102/imagelabels.mat", "flowers-102/setid.mat")),
    "Food101": Layout(("food-101/images", "food-101/meta")),
    "GTSRB": Layout(("gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test/Images", "gtsrb/GT-final_test.csv")),
    "ImageNet": Layout(
        ("meta.bin|ILSVRC2012_devkit_t12.tar.gz", "val|ILSVRC2012_img_val.tar"),
        "ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz of image-net.org, for which "
        "one registers, go to {root}/ and are unpacked there",
        root="imagenet",
    ),
    "OxfordIIITPet": Layout(("oxford-iiit-pet/images", "oxford-iiit-pet/annotations")),
    "PCAM": Layout(_PCAM),
    "RenderedSST2": Layout(("rendered-sst2/train", "rendered-sst2/test")),
    "StanfordCars": Layout(
        (
            "stanford_cars/cars_train",
            "stanford_cars/cars_test",
            "stanford_cars/devkit/cars_meta.mat",
            "stanford_cars/devkit/cars_train_annos.mat",
            "stanford_cars/cars_test_annos_withlabels.mat",
        ),
        "the pictures go to {root}/stanford_cars/cars_train and cars_test, cars_meta.mat and cars_train_annos.mat to "
        "{root}/stanford_cars/devkit, cars_test_annos_withlabels.mat to {root}/stanford_cars; the publisher's pages "
        "are gone (pytorch/vision issue 7545 names copies)",
    ),
    "SUN397": Layout(("SUN397/ClassName.txt",)),
    "STL10": Layout(("stl10_binary/train_X.bin", "stl10_binary/test_X.bin")),
    "SVHN": Layout(("{split}_32x32.mat",), root="svhn"),
    "USPS": Layout(("usps.bz2", "usps.t.bz2"), root="usps"),
    "VOCDetection": Layout(
        (
            "VOCdevkit/VOC{year}/JPEGImages",
            "VOCdevkit/VOC{year}/Annotations",
            "VOCdevkit/VOC{year}/ImageSets/Main/{image_set}.txt",
        )
    ),
}
