"""Checkpoints of Dassl, the framework in which the authors of CoOp, CoCoOp, MaPLe, SoftCPT and MVLPT released their code.

Such a file holds tensors, numpy numbers and the live optimiser and schedule; only the tensors are looked at.
"""

import zipfile
from pathlib import Path

from torch import Tensor

from promptatlas.backbone import torch_files
from promptatlas.base.errors import UserError


def state_dict(path: str | Path) -> dict[str, Tensor]:
    """Name -> tensor (float32, finite) of the trained module in a checkpoint, also one of several GPUs.

    Raises UserError if it is missing, damaged, of another kind, or holds anything that could run code.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"the checkpoint {path} does not exist; give a file such as prompt_learner/model.pth.tar-50.")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is truncated or no checkpoint of torch 1.6 or later; fetch it again or save it anew with torch.save.")
    try:
        found = torch_files.state_dict(torch_files.read(path))
    except torch_files.Refused as error:
        raise UserError(
            f"{path} is no checkpoint of Dassl or holds other objects than tensors, which could run code ({error}); save its "
            "state_dict alone."
        ) from error
    except torch_files.Damaged as error:
        raise UserError(f"{path} is truncated or no checkpoint ({error}); fetch it again.") from error
    if not found:
        raise UserError(f"{path} holds no state dict; give a file such as prompt_learner/model.pth.tar-50.")
    if any(key.startswith("prompt_learner.") for key in found):  # MaPLe, IVLP and PromptSRC save the whole model, CLIP included
        found = {key.removeprefix("prompt_learner."): value for key, value in found.items() if _is_prompt(key)}
    tensors = {key: value.float() for key, value in found.items()}
    if wrong := next((key for key, value in tensors.items() if not value.isfinite().all()), None):
        raise UserError(f"{path} holds values in `{wrong}` that are no finite numbers; choose the checkpoint of another epoch.")
    return tensors


def _is_prompt(key: str) -> bool:
    """Of a whole model: what its prompt learner holds, but for a frozen image tower in it, and prompts beside layers of the towers."""
    if key.rsplit(".", 1)[-1] in ("VPT", "VPT_shallow"):
        return True
    return key.startswith("prompt_learner.") and not key.startswith("prompt_learner.ZS_image_encoder.")


def newest(folder: Path) -> Path:
    """The checkpoint that Dassl would load from a folder: the best, else that of the last epoch. Raises UserError."""
    if (best := folder / "model-best.pth.tar").is_file():
        return best
    epochs = {int(path.name.rsplit("-", 1)[1]): path for path in folder.glob("model.pth.tar-*") if path.name[15:].isdecimal()}
    if not epochs:
        raise UserError(f"{folder} holds no checkpoint; there should be a file such as model.pth.tar-50.")
    return epochs[max(epochs)]
