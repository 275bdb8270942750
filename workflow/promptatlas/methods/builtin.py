"""The library's own methods: each registered with its title, a line about it, and its settings with the paper's values."""

from __future__ import annotations

from typing import Any

from promptatlas.methods.registry import METHODS, register
from promptatlas.methods.setting import Setting

PHOTO = "a photo of a"

# Its *_ctxv1.yaml, which later papers compare with, is context 4, initial "a photo of a", position end.
register(
    "coop", "promptatlas.methods.coop:CoOp",
    title="CoOp", description="context vectors in place of a sentence around the class name",
    counts_words=True, context=16, initial="", position="middle",
)  # fmt: skip
register(
    "vpt", "promptatlas.methods.vpt:VPT",
    title="VPT", description="prompt tokens beside the patches in the image tower",
    visual=True, prompts=16, depth="deep", template="a photo of a {}.",
)  # fmt: skip
register(
    "upt", "promptatlas.methods.upt:UPT",
    title="UPT", description="context vectors and prompt tokens made by one small transformer",
    visual=True, context=4, prompts=4, depth="deep", position="middle",
    width=Setting(128, "of the small transformer"),
    mixer=Setting(
        "as_released", "whether its tokens see only themselves, as in MVLPT's code, or each other, as in the paper",
        choices=("as_released", "joint"),
    ),
)  # fmt: skip
# CoCoOp: configs/trainers/CoCoOp/vit_b16_c4_ep10_batch1_ctxv1.yaml.
register(
    "cocoop", "promptatlas.methods.cocoop:CoCoOp",
    title="CoCoOp", description="context vectors shifted by a function of the image",
    by_image=True, counts_words=True, context=4, initial=PHOTO,
    reduction=Setting(16, "by how much the net that sees the image narrows its features"),
    epochs=10, batch_size=1, select="last",
)  # fmt: skip
# MaPLe: configs/trainers/MaPLe/vit_b16_c2_ep5_batch4_2ctx.yaml and IVLP/vit_b16_c2_ep5_batch4_2+2ctx.yaml.
MAPLE: dict[str, Any] = {"initial": PHOTO, "learning_rate": 0.0035, "epochs": 5, "batch_size": 4, "select": "last"}
register(
    "maple", "promptatlas.methods.maple:MaPLe",
    title="MaPLe", description="context vectors in the first layers, and prompt tokens computed from them",
    visual=True, context=2, layers=9, **MAPLE,
)  # fmt: skip
register(
    "ivlp", "promptatlas.methods.ivlp:IVLP",
    title="IVLP", description="context vectors and prompt tokens in the first layers, independent of each other",
    visual=True, context=2, prompts=2, layers=12, **MAPLE,
)  # fmt: skip
# KgCoOp: configs and scripts of its release; the weight 8.0 is on the command line there, the file's own 1.0 is never run.
register(
    "kgcoop", "promptatlas.methods.kgcoop:KgCoOp",
    title="KgCoOp", description="context vectors whose class features stay close to those of a hand-written sentence",
    counts_words=True, teacher=True, context=4, initial=PHOTO,
    weight=Setting(8.0, "of one minus the mean cosine of both class features, twice the paper's lambda", zero=True),
    epochs=100, batch_size=128, select="last",
)  # fmt: skip
# ProGrad: its release for 8 and 16 images per class; 0.8 on Flowers, DTD and EuroSAT there.
register(
    "prograd", "promptatlas.methods.prograd:ProGrad",
    title="ProGrad", description="context vectors that take no step against what hand-written sentences know",
    teacher=True, context=16, initial=PHOTO,
    before_words=Setting(
        "as_released", "what the vectors before the words start from: zeros, or random values", choices=("as_released", "random")
    ),
    share=Setting(1.0, "of a gradient's part against the known one, how much is taken away", zero=True),
    select="last",
)  # fmt: skip
# PromptSRC: its release from base to new classes; with few images of all classes 50 epochs, centre 30 and width 30, or 45 and 5 (Cars,
# Flowers, Aircraft, DTD, EuroSAT). `mini` has the former in its 30 epochs. MaPLe's own settings where its losses stand on MaPLe.
SELF_REGULATED: dict[str, Any] = {
    "text_weight": Setting(25.0, "of the mean distance of class features to the frozen ones", zero=True),
    "image_weight": Setting(10.0, "of the same of image features", zero=True),
    "divergence": Setting(
        "as_released", "KL of the frozen model's probabilities and the prompt's: divided by the classes, or as it is written",
        choices=("as_released", "paper"),
    ),
    "centre": Setting(15.0, "epoch with the largest weight in the mean over epochs, from 1"),
    "width": Setting(1.0, "standard deviation of these weights, in epochs"),
}  # fmt: skip
WHOLE = {"mini": {"centre": 18.0, "width": 18.0}}
register(
    "promptsrc", "promptatlas.methods.promptsrc:PromptSRC",
    title="PromptSRC", description="prompts in both towers that stay close to the frozen model, their mean over epochs",
    visual=True, teacher=True, context=4, prompts=4, layers=9,
    **SELF_REGULATED, **(MAPLE | {"learning_rate": 0.0025, "epochs": 20}), presets=WHOLE,
)  # fmt: skip
register(
    "promptsrc_maple", "promptatlas.methods.promptsrc:PromptSRCOnMaPLe",
    title="PromptSRC on MaPLe", description="MaPLe's prompts with PromptSRC's losses and mean over epochs",
    visual=True, teacher=True, context=2, layers=9,
    **SELF_REGULATED, **(MAPLE | {"learning_rate": 0.0025, "epochs": 20}), presets=WHOLE,
)  # fmt: skip
# TCP: its release; epsilon is written into Dassl by hand there, as fp16 gives no numbers without.
register(
    "tcp", "promptatlas.methods.tcp:TCP",
    title="TCP", description="context vectors, and vectors for each class made of its frozen features by one small net",
    counts_words=True, by_class=True, teacher=True, context=4, initial="",
    template=Setting("a photo of a {}.", "the sentence whose frozen class features the class vectors are made of", holds="{}"),
    layer=Setting(8, "text layer at whose input the class vectors enter, from 1, the second; at most the last"),
    reduction=Setting(4, "by how much the net narrows the features"),
    weight=Setting(8.0, "of one minus the mean cosine of class features and frozen ones", zero=True),
    optimizer="adam", epsilon=1e-3, epochs=50, select="last",
)  # fmt: skip
# CLIP-Adapter: clip_adapter.py in the authors' repository, whose optimiser and epochs are those of CoOp's configuration; the ratio is fixed
# there, in the paper .2 for general tasks and .6 to .8 for fine-grained ones. On validation images of the mini benchmark (4 shots, two
# seeds used nowhere else), AdamW: 0.593 at 0.001, 0.669 at 0.003, 0.720 at 0.01, 0.706 at 0.03, 0.652 at 0.1.
register(
    "clip_adapter", "promptatlas.methods.clip_adapter:ClipAdapter",
    title="CLIP-Adapter", description="a small net that changes image features, beside class weights of a sentence",
    ratio=Setting(0.2, "weight of what the net gives; the feature itself has the rest", zero=True, most=1),
    reduction=Setting(4, "by how much the net narrows the features"),
    template="a photo of a {}.", select="last",
)  # fmt: skip
# SoftCPT: configs/trainers/MTCoOp/*_ep50.yaml and scripts/main_mtcoop.sh. NATA by default; NATS, CA.. and CS.. by the contexts.
# class_rate: the share of the classes on no image of a batch that class-aware variants keep; the release's default is off (1.0 here).
# On the mini benchmark, 1 shot, AdamW at 0.01 spoils the meta network: validation 0.66 at 0.001, 0.59 at 0.003, below it at 0.01;
# with 4 shots, three seeds used nowhere else, 0.699 at 0.0003, 0.698 at 0.001, 0.660 at 0.003.
SHARED: dict[str, Any] = {"context": 16, "epochs": 50, "select": "last"}
register(
    "softcpt", "promptatlas.methods.softcpt:SoftCPT", "shared",
    title="SoftCPT",
    description="one linear map writes every task's context from the task's name (NATA; NATS, CA.. and CS.. by the contexts)",
    task_context=Setting(
        "agnostic", "vectors before the task's name: the same for all tasks (..TA), or each task's own (..TS)",
        choices=("agnostic", "specific"),
    ),
    task_vectors=Setting(4, "how many these are"),
    class_context=Setting(
        "none", "vectors before the class name that the map reads too: none (NA), the same for all classes (CA), each class's own (CS)",
        choices=("none", "agnostic", "specific"),
    ),
    class_vectors=Setting(4, "how many these are"),
    meta_input=Setting(
        "lin", "with a class_context, what the map reads: class and task side by side, their mean, the class alone",
        choices=("lin", "linmean", "lincls"),
    ),
    class_rate=Setting(0.1, "with a class_context, share of the classes without an image in the batch that a step looks at", most=1),
    steps=Setting(
        "paper", "one step per batch, or the release's three (four with a class_context), of optimiser and schedule alike",
        choices=("paper", "as_released"),
    ),
    **SHARED,
    presets={"mini": {"learning_rate": 0.001}},
)  # fmt: skip
# On validation images of the mini benchmark (4 shots, three seeds used nowhere else): 0.620 at 0.001, 0.623 at 0.003, 0.609 at 0.01,
# 0.580 at 0.03.
register(
    "coop_mt", "promptatlas.methods.softcpt:HardSharing", "shared",
    title="CoOp-MT", description="CoOp with context vectors that tasks share",
    sharing=Setting(
        "all", "who has the same vectors: all tasks, the classes of a task, or none (each class its own)", choices=("all", "task", "class")
    ),
    **SHARED,
    presets={"mini": {"learning_rate": 0.003}},
)  # fmt: skip
# Tip-Adapter: main.py and configs/. The first alpha and the grid differ there by data set: alpha from 1.17 to 10, grids that end
# between 3 and 50, in Prompt-Adapter also at 100. Here all have ImageNet's first alpha and Prompt-Adapter's grid for EuroSAT,
# which is wider than most, but not than those for Aircraft (30), Flowers and Food (50) and Pets (100). Alphas are in units of
# logits, so they mean the same for a backbone of any logit scale.
GRID: dict[str, Any] = {
    "alpha_max": Setting(20.0, "end of the grid of alpha, in units of the backbone's logits, left out; it begins at 0.1"),
    "alpha_steps": Setting(200, "alphas in the grid"),
    "beta_max": Setting(20.0, "end of the grid of beta, left out; it begins at 0.1"),
    "beta_steps": Setting(200, "betas in the grid"),
}
FALLING = "falling along a cosine to zero, step by step"
CACHE: dict[str, Any] = {
    "alpha": Setting(1.17, "weight of the cache while keys are trained, in units of the backbone's logits"),
    "beta": Setting(1.0, "sharpness of the cache while keys are trained"),
    "epochs": 20, "batch_size": 256, "weight_decay": Setting(0.01, "of AdamW, on the keys", zero=True), "select": "best_validation",
}  # fmt: skip
register(
    "tip_adapter", "promptatlas.training.adapters:tip_adapter", "adapter",
    title="Tip-Adapter", description="zero-shot class weights and a cache of the few-shot images, nothing trained",
    revision=2, **GRID,
)  # fmt: skip
register(
    "tip_adapter_f", "promptatlas.training.adapters:tip_adapter_f", "adapter",
    title="Tip-Adapter-F", description="the same with trained cache keys",
    revision=2, **GRID, **CACHE, learning_rate=Setting(0.001, FALLING),
)  # fmt: skip
# Prompt-Adapter's class weights come from one CoOp prompt trained on many tasks; here these are the study's own, and the
# prompt has seen the same few-shot images, never more. "multitask" is the authors' kind of prompt, CoOp's of MVLPT (with
# `multitask: all`: best epoch, class name in the middle, union of all classes); "coop" is the task's own prompt instead.
PROMPT: dict[str, Any] = {
    "class_weights": Setting(
        "coop_mt",
        "whose prompt gives the class weights; coop is the task's own and has to be under `methods`, multitask MVLPT's of many tasks "
        "(needs `multitask`)",
        choices=("coop_mt", "softcpt", "coop", "multitask"), learners=True,
    )
}  # fmt: skip
register(
    "prompt_adapter", "promptatlas.training.adapters:tip_adapter", "adapter",
    title="Prompt-Adapter", description="Tip-Adapter with class weights from a trained prompt",
    revision=2, **PROMPT, **GRID,
)  # fmt: skip
register(
    "prompt_adapter_f", "promptatlas.training.adapters:tip_adapter_f", "adapter",
    title="Prompt-Adapter-F", description="the same with trained cache keys",
    revision=2, **PROMPT, **GRID, **CACHE, learning_rate=Setting(0.005, FALLING),
)  # fmt: skip
# TaskRes: configs/trainers/TaskRes/*.yaml and main.sh, with Dassl's schedule. 100 epochs with 1, 2 and 4 images per class; alpha 1 on
# Flowers; rate .0002 on ImageNet.
register(
    "task_res", "promptatlas.training.adapters:task_res", "adapter",
    title="TaskRes", description="class weights of hand-written sentences and a trained residual beside each",
    raw_weights=True,
    alpha=Setting(0.5, "weight of the residual"),
    underscores=Setting(
        "spaces", "what becomes of underscores in class names: spaces, or they stay as in the release", choices=("spaces", "as_released")
    ),
    epochs=200, batch_size=256, learning_rate=0.002, weight_decay=Setting(5e-4, "of Adam, a part of the gradient", zero=True),
    warmup_epochs=1, warmup_learning_rate=1e-5, select="last",
)  # fmt: skip
# LP++: lp_plus_plus in the authors' trainers. Step sizes follow from the features.
register(
    "lp_plus_plus", "promptatlas.training.adapters:lp_plus_plus", "adapter",
    title="LP++", description="a linear probe on all few-shot images at once that blends class weights of sentences into its own",
    epochs=300, momentum=0.9, select="best_validation",
    alpha_gradient=Setting(
        "paper", "along which a step of the blend goes: the gradient as it is, or the sum of all so far, which the release never clears",
        choices=("paper", "as_released"),
    ),
)  # fmt: skip
# CLIP's hand-written sentences, and its linear probe: C from 1e-6 to 1e6, iterations of L-BFGS (Radford et al. 2021, appendix A.3).
register(
    "zero_shot", "promptatlas.evaluation.evaluate:zero_shot", "baseline",
    title="zero-shot", description="hand-written sentences, always measured",
    templates=Setting(
        "ensemble", "the mean over all of a task's sentences, or the first alone; also for Tip-Adapter and the similarity of labels",
        choices=("ensemble", "first"),
    ),
)  # fmt: skip
register(
    "linear_probe", "promptatlas.training.linear_probe:linear_probe", "baseline",
    title="linear probe", description="logistic regression on frozen features, always measured",
    decades=Setting(6, "C from 10^-decades to 10^decades, every second one", most=30),
    halvings=Setting(
        2, "steps around the best C, the first a decade, each half of that before; CLIP goes on to an eighth", zero=True, most=10
    ),
    iterations=Setting(1000, "most iterations of L-BFGS"),
)  # fmt: skip
METHODS.seal()
