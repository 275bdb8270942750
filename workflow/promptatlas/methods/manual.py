"""Every setting of every method in words: what `promptatlas settings` prints and docs/settings.md holds. Made from the registry.

Knows nothing of torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from promptatlas.methods.common import PRESETS
from promptatlas.methods.registry import KINDS, known, names, setting, settings

HEAD = """# Settings of the methods

Written by `make docs` as `promptatlas settings` prints it, which with `--configfile` adds the methods of a study's
plugins. In config.yaml `settings` takes any of these, for example

    settings: {vpt: {epochs: 50, learning_rate: 0.005}, softcpt: {task_context: specific}}

on top of a `preset`: `paper` is each method's own paper or release, and the usual one for any backbone but the embedded `mini`, for
which `mini` changes what its column says. `released` is `paper` with what releases built on Dassl do and papers seldom say:
`select: last`, `last_batch: dropped` and, for prompts, `augmentation: crops_and_flips`. No preset and no device sets `precision`:
with `paper` and methods that have visual prompts, `precision: float16` is advised on a GPU ([what it costs](gpu.md#precision)),
otherwise float32. An unknown setting or value is refused before anything runs. Settings belong to the fingerprint of a result: whatever
is changed is computed again, and nothing else.

Where the authors did something else: [below](#where-settings-are-not-the-papers)."""

APART = """## Where settings are not the papers'

With `preset: paper` the tables above hold what the papers and releases say. Everything else that is known to differ stands here;
where a study can have it the authors' way, the last column says by which key.

| of | the authors' runs | here | the authors' way |
|---|---|---|---|
| all that is trained on images | training images are cropped and flipped at random (but for MVLPT's on ELEVATER) | every image is seen as it was prepared; with `preset: released` prompts are trained on crops; shared learners and adapters, which see features, are not | `augmentation`, `preset` |
| crops with `augmentation` | of the image as it is on disk | of the image as it was prepared, in the model's size: a small crop is less sharp, and what `resize: crop` cut off is in none; by the cubic for every model; one for each image and epoch | |
| prompts | a smaller last batch of an epoch is left out where there is another (but for MVLPT's on ELEVATER) | it is used | `last_batch`, `preset` |
| VPT, UPT with `preset: released` | MVLPT keeps the epoch that is best on validation on ELEVATER | the last | `select` |
| all releases | half precision (fp16), mostly also of what is trained | float32; with `precision: float16` the image tower's products alone | `precision` |
| prompts | one random number generator for everything | a generator of its own for each draw, start and order, so other values for a seed; draws of CoOp's scheme are the same | |
| ImageNet, and what else has no validation images | MVLPT, Tip-Adapter and Prompt-Adapter validate on ImageNet's test images | a fifth of the training images is set aside before the draw | |
| CoOp | 200 epochs with 16 and 8 images per class, 100 with 4 and 2, 50 with 1 and always on ImageNet; class name at the end; the last epoch | MVLPT's CoOp: 200 epochs, class name in the middle, the epoch that is best on validation (the last with `preset: released`) | `epochs`, `position`, `select` |
| CoOp in later papers | 4 vectors that start from "a photo of a" | 16 random ones | `context`, `initial` |
| VPT, UPT | papers of their own | MVLPT's release, in which the small transformer of UPT sees each token alone | `mixer: joint` |
| CoOp of MVLPT on ELEVATER | the release does not load the source prompt of CoOp | it is loaded | |
| MVLPT's prompts of several ELEVATER tasks | batches of 64 in the same order every epoch; a fifth of the joint draw validates, with 1 image per class none | batches of 32 in a new order; each task's draw is as for the task alone | `batch_size` |
| MVLPT's source prompts | parameters averaged over seeds | each seed its own | `union: {average_seeds: true}` |
| MVLPT's groups of tasks | not released | found on validation images, or given | `joint` |
| Hateful Memes | ELEVATER: ROC AUC; MVLPT's release: accuracy | ROC AUC | |
| MaPLe, IVLP | 5 epochs and batches of 4 from base to new classes; for few-shot learning of all classes not released (users report 50 epochs) | those of base to new everywhere | `epochs` |
| MaPLe on other data sets and domains | 3 layers, 2 epochs, rate .0026 | as from base to new, but in the studies `cross_dataset` and `domain` | `layers`, `epochs`, `learning_rate` |
| KgCoOp | a sentence for each data set to stay close to | each task's first, on CoOp's tasks the same but on DTD ("a photo of a {}, a type of texture.") | `templates` of the task |
| KgCoOp | 100 epochs, on ImageNet 25 (as its scripts test it) | 100, but in the studies `cross_dataset` and `domain` | `epochs` |
| ProGrad | a sentence for each data set, with the class name last, to start from and to hold steps against | it starts from "a photo of a"; held against is each task's first sentence | `initial`, `templates` of the task |
| ProGrad | RN50; 200 epochs with 16 and 8 images per class, 100 with 4 and 2, 50 with 1 and always on ImageNet; a share of 0.8 with 8 and 16 images on Flowers, DTD and EuroSAT | 200, but 50 in the studies `cross_dataset` and `domain` and as the commands in `few_shot` say; 1.0 | `epochs`, `share` |
| ProGrad from base to new classes, and to other domains | RN50, 4 images per class | 16, as the other methods of the studies | `backbone`, `shots`, `epochs` |
| ProGrad | the vectors before its words start from zeros, which no paper says | the same | `before_words: random` for the others' way |
| PromptSRC | class features of the frozen model from 60 sentences of ImageNet, averaged before they are made unit vectors | from the task's own sentences, each made a unit vector first | `templates` of the task |
| PromptSRC | 20 epochs from base to new classes, centre 15 and width 1; few-shot 50 epochs, 30 and 30, or 45 and 5 (Cars, Flowers, Aircraft, DTD, EuroSAT); from ImageNet to other data sets and domains 3 layers, 20 epochs, 6 and 10 | those from base to new, but in the studies `few_shot` (30 and 30 for all tasks), `cross_dataset` and `domain`; with `preset: mini` 30 epochs, 18 and 18 | `epochs`, `centre`, `width`, `layers` |
| PromptSRC | the mean over epochs is taken of the whole model in half precision, which moves its frozen weights by rounding | of the prompts | |
| PromptSRC | the KL of its loss is divided by images and by classes; the paper does not say by classes | as released | `divergence: paper` |
| TCP | a sentence of its own for each data set, of which class vectors are made, and the end of that sentence behind the class name | one sentence for all tasks, as a prompt is read on any of them; a full stop behind the name | `template` |
| TCP | 50 epochs, on ImageNet and SUN397 25 (as its scripts test it); for other data sets not released | 50, but in the studies `cross_dataset` and `domain` 25 | `epochs` |
| TCP | Adam with an epsilon of .001, which half precision needs | the same; with `preset: mini` AdamW with it | `epsilon` |
| SoftCPT | three steps of optimiser and schedule per batch (four with a `class_context`) | one | `steps: as_released` |
| SoftCPT with a `class_context` | the release looks at all classes unless told otherwise | at a tenth of the classes without an image in the batch | `class_rate: 1.0` |
| SoftCPT | names of tasks and splits, not published | titles of the catalogue; CoOp's splits, or drawn ones | |
| SoftCPT's general tasks | scores by class on Caltech-101, Aircraft, Flowers and Pets | accuracy, as CoOp has it | |
| all adapters | factor 100 on the cosines of text | the backbone's own logit scale, which is 100 for OpenAI's weights; alpha is in units of its logits | |
| Tip-Adapter, Prompt-Adapter | keys are means of ten random crops; trained on new crops in each epoch | one image as it was prepared | |
| Tip-Adapter-F, Prompt-Adapter-F | first alpha by data set, 1.17 to 10 | 1.17, that of ImageNet | `alpha` |
| Tip-Adapter, Prompt-Adapter | grids by data set: alpha to between 3 and 50, beta to between 7 and 50 (Prompt-Adapter also to 100), 20 or 200 alphas and 200 betas | both to 20, 200 each | `alpha_max`, `alpha_steps`, `beta_max`, `beta_steps` |
| Tip-Adapter-F, Prompt-Adapter-F | 100 epochs on EuroSAT, else 20 | 20 | `epochs` |
| Prompt-Adapter-F | rate .001 on Aircraft, Flowers and ImageNet, .01 on UCF101, else .005 | .005 | `learning_rate` |
| Prompt-Adapter-F | batches of 64 on ImageNet, else 256 | 256 | `batch_size` |
| Tip-Adapter-F, Prompt-Adapter-F | the epoch is chosen on test images; the better of it and of the searched alpha and beta is reported | on validation images; alpha and beta are always searched | |
| Tip-Adapter, Prompt-Adapter | alpha and beta are searched on all validation images of a data set | on the few of the draw | |
| all adapters | one seed; a class with too few images has some twice | the study's seeds; every image once | |
| Tip-Adapter on ImageNet | class weights from seven sentences | from the catalogue's one | `templates` of the task |
| Prompt-Adapter | a prompt of MVLPT from up to 20 images per class of the 11 tasks, for any number of images | a prompt that saw the study's own draws; by default CoOp-MT's, 50 epochs, the last, class name at the end | `class_weights: multitask`, `multitask: all` |
| CLIP-Adapter | the ratio is .2 in the release, by data set in the paper; the paper's rate is 1e-5 (as recalled) | .2; .002, as CoOp's configuration, which the release takes | `ratio`, `learning_rate` |
| CLIP-Adapter from base to new classes and on other data sets | no runs of its authors | CoOp's epochs and rate | |
| CLIP-Adapter | CoOp's sentence of each data set | one sentence for all tasks, as the net goes from task to task | `template` |
| CLIP-Adapter | features of any length go into the net | of length one, with the same answers, as a factor on them is one on what comes out | |
| TaskRes | 100 epochs with 1, 2 and 4 images per class, 200 with 8 and 16; rate .0002 on ImageNet, and in the only file for ViT-B/16; alpha 1 on Flowers | 200 epochs, or as the commands in `few_shot` say; .002, .5 | `epochs`, `learning_rate`, `alpha` |
| TaskRes | underscores stay in class names | spaces in their place | `underscores: as_released` |
| TaskRes | seven sentences and CoOp's own on ImageNet; "enhanced" class features, of which only files are released | the catalogue's sentences; as the text tower gives them | `templates` of the task |
| LP++ | the gradient of alpha is never cleared | it is, as the paper has it | `alpha_gradient: as_released` |
| LP++ | as many validation images as training images | those of the draw | |
| LP++ | features of one random crop of .5 to 1, flipped at random, in half precision; classes with too few images have some twice | one image as it was prepared, float32; every image once | |
| linear probe | features as the image tower gives them, in CLIP's paper those before the projection | after it, of length one, centred | |
| linear probe | C searched to an eighth of a decade | to a half | `halvings: 4` |
| linear probe | draws of its own | those of the prompts | |"""  # noqa: E501 - rows of a Markdown table


def page() -> str:
    """The whole of docs/settings.md."""
    every = [name for kind in KINDS for name in names(kind)]
    return "\n\n".join([HEAD, *map(section, every), APART]) + "\n"


def section(method: str) -> str:
    """A method and the table of its settings."""
    about = f": {known(method).description}" if known(method).description else ""
    head = ["| setting | paper | mini | values | meaning |", "|---|---|---|---|---|"]
    return "\n".join([f"## {method}{about}", "", *head, *_rows(method)])


def _rows(method: str) -> Iterator[str]:
    presets = {preset: settings(method, preset=preset) for preset in PRESETS}
    for key in known(method).settings:
        about = setting(method, key)
        usual, mini = (presets[preset].get(key, about.unsaid) for preset in ("paper", "mini"))
        cells = (f"`{key}`", _shown(usual), "" if mini == usual else _shown(mini), about.allowed)
        yield f"| {' | '.join(cells)} | {about.help} |"


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) and (" " in value or not value) else str(value)
