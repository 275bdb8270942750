"""Which tasks belong to a published benchmark, in its own order. Knows nothing of what the tasks are."""

from promptatlas.tasks.mini import MINI_TASKS

PLANT_KINDS = ("fruit-vegetable", "flower", "mushroom", "vegetable", "seedling", "village")
FASHION_KINDS = (
    *("pants-type", "pants-length", "waist-type", "collar-type", "sleeve-type", "sleeve-length", "top-pattern"),
    *("shoe-material", "shoe-style", "heel-shape", "heel-thickness", "heel-height", "upper-height", "toe-cap-style"),
    *("hat-style", "socks-length", "socks-type", "skirt-length", "button-rows", "underwear-style"),
)

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "mini": tuple(MINI_TASKS),
    # Li et al. 2022, the 20 data sets of image classification in the wild
    "elevater": (
        *("caltech-101", "cifar-10", "cifar-100", "country211", "dtd", "eurosat_clip", "fer-2013"),
        *("fgvc-aircraft-2013b-variants102", "food-101", "gtsrb", "hateful-memes", "kitti-distance", "mnist"),
        *("oxford-flower-102", "oxford-iiit-pets", "patch-camelyon", "rendered-sst2", "resisc45_clip"),
        *("stanford-cars", "voc-2007-classification"),
    ),
    # Zhou et al. 2022, in the order in which MVLPT (Shen et al. 2024) lists its source tasks
    "coop": (
        *("coop-imagenet", "coop-caltech101", "coop-food101", "coop-stanford-cars", "coop-oxford-pets"),
        *("coop-oxford-flowers", "coop-fgvc-aircraft", "coop-sun397", "coop-dtd", "coop-eurosat", "coop-ucf101"),
    ),
    # Ding et al. 2024 (SoftCPT), in the order of the authors' code
    "general-10": (
        *("coop-caltech101", "coop-dtd", "coop-eurosat", "coop-fgvc-aircraft", "coop-food101", "coop-oxford-flowers"),
        *("coop-oxford-pets", "coop-stanford-cars", "coop-sun397", "coop-ucf101"),
    ),
    "plant-6": tuple(f"plant6-{kind}" for kind in PLANT_KINDS),
    "fashion-20": tuple(f"fashion20-{kind}" for kind in FASHION_KINDS),
}
