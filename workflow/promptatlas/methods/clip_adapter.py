"""CLIP-Adapter (Gao et al. 2021, arXiv 2110.04544): a small net behind the image tower, and class weights of a sentence as they are.

    f' = r relu(V_2 relu(V_1 f)) + (1 - r) f

of image features f, brought to unit length again. It knows no class, so one that was trained on a task serves any other. As the net
has no bias and a relu at each end, a factor on f is one on f', which the length takes away again: whether f is as the tower gives it,
as in the paper, or of unit length, as here, is the same. r is a factor on V_2 as well as on what comes out.
"""

from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture


class ClipAdapter(nn.Module):
    """V_1 (e / 4, e) and V_2 (e, e / 4) as torch starts linear maps, so that the start is not zero-shot."""

    text, visual = False, False

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        embed = architecture.embed_dim
        hidden = embed // settings["reduction"]
        self.ratio = settings["ratio"]
        self.down, self.up = nn.Linear(embed, hidden, bias=False), nn.Linear(hidden, embed, bias=False)
        for linear in (self.down, self.up):
            nn.init.uniform_(linear.weight, -(linear.in_features**-0.5), linear.in_features**-0.5, generator=generator)

    def forward(self) -> tuple[None, None, None, None, tuple[Tensor, Tensor, Tensor]]:
        kept = self.up.weight.new_full((1,), 1 - self.ratio)
        return None, None, None, None, (self.down.weight, self.ratio * self.up.weight, kept)
