"""Weights in several files, as the transformers library saves large models: known by their names, and refused."""

import re

from promptatlas.base.errors import UserError

INDEX = ".index.json"  # after the name of the weights: which tensor is in which of the files


def is_one_of_several(name: str) -> bool:
    """Whether a file is an index, or one of the files that it lists, such as model-00001-of-00002.safetensors."""
    found = re.search(r"-\d+-of-(\d+)\.", name)
    return name.endswith(INDEX) or bool(found and int(found[1]) > 1)


def refused(where: str) -> UserError:
    """where: which weights these are, such as "in a folder"."""
    return UserError(
        f"backbone: the weights {where} are in several files, which are not put together; save them as one in another folder, by "
        '`AutoModel.from_pretrained(<this>).save_pretrained(<another>, max_shard_size="100GB")` of the transformers library, and write '
        "`backbone: {model: local-dir:<another>}`."
    )
