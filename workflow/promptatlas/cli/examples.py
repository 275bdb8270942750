"""Commands as people type them, which every `--help` ends with."""

import argparse
from collections.abc import Sequence
from typing import Any

EXAMPLES: dict[str, Sequence[str]] = {
    "new": ("promptatlas new wardrobe", "promptatlas new wardrobe --images photos/clothing footwear=photos/shoes"),
    "check": ("promptatlas check", "promptatlas check photos/clothing coco=annotations/instances.json", "promptatlas check --no-time"),
    "run": ("promptatlas run", "promptatlas run --cores 4 --config 'seeds=[1]'", "promptatlas run --dry-run --configfile wardrobe.yaml"),
    "snakefile": ("promptatlas snakefile",),
    "status": ("promptatlas status", "promptatlas status --method coop"),
    "rerun": (
        "promptatlas rerun --method coop --source shapes --target colors --seed 1",
        "promptatlas rerun --method vpt --source scratch --target colors --dry-run",
    ),
    "compare": ("promptatlas compare results/shots1 results/shots4 results/shots16 -o compared",),
    "card": ("promptatlas card results/mini/prompts/coop/seed1/shapes.safetensors",),
    "import-prompt": (
        "promptatlas import-prompt model.pth.tar-50 --method coop --backbone vit-b-16 -o pets.safetensors",
        "promptatlas import-prompt model.pth.tar-5 --method maple --backbone vit-b-16 --classes classes.txt -o pets.safetensors",
    ),
    "export-backbone": (
        "promptatlas export-backbone ViT-B-16 openai -o vit-b-16",
        "promptatlas export-backbone ViT-B-16 weights/vit.pt -o vit-b-16",
    ),
    "next": ("promptatlas next --budget 20", "promptatlas next --budget 20 -o pairs.csv"),
    "plan": ("promptatlas plan", "promptatlas plan --gpus 8 --configfile elevater.yaml"),
    "settings": ("promptatlas settings", "promptatlas settings --schema"),
    "calibrate": ("promptatlas calibrate --tasks 12 --families 4", "promptatlas calibrate --from results/mini --simulations 100"),
    "models": ("promptatlas models", "promptatlas models PE-Core", "promptatlas models --csv > models.csv"),
    "analyse": (
        "promptatlas analyse scores.csv -o analysed",
        "promptatlas analyse bert=bert.csv t5=t5.csv --similarity closeness.csv --baseline 0.5 -o analysed",
    ),
    "sources": ("promptatlas sources -k 5", "promptatlas sources scores.csv -k 5"),
    "groups": ("promptatlas groups", "promptatlas groups scores.csv --largest 4"),
    "recommend": (
        "promptatlas recommend photos/clothing --from results/mini",
        "promptatlas recommend photos/clothing --from results/mini --tune 3 -o chosen",
        "promptatlas recommend photos/loose --from results/mini --no-labels --classes classes.txt",
    ),
    "report": ("promptatlas report", "promptatlas report --watch"),
    "pack": ("promptatlas pack -o study.tar.gz",),
    "completion": (
        "promptatlas completion bash > ~/.local/share/bash-completion/completions/promptatlas",
        'promptatlas completion zsh > "${fpath[1]}/_promptatlas"',
        "promptatlas completion fish > ~/.config/fish/completions/promptatlas.fish",
    ),
}


class CommandParser(argparse.ArgumentParser):
    """The parser of one command, whose help ends with examples."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self.examples: Sequence[str] = EXAMPLES.get(self.prog.split()[-1], ())

    def format_help(self) -> str:
        lines = [f"  {example}\n" for example in self.examples]
        return super().format_help() + "".join(["\nexamples:\n", *lines] if lines else [])
