"""The authors' checkpoints, written here as Dassl writes them, answer as a computation straight from their tensors through
open_clip's own blocks; a checkpoint that would run code, or of another model or release, is refused in one sentence."""

from collections import OrderedDict

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st
from PIL import Image
from torch import nn

import promptatlas
from hostile import FUNCTIONS, harmful, rewritten
from promptatlas import cli
from promptatlas.base.errors import UserError
from promptatlas.exchange import releases
from tiers import mostly_slow
from twins import TINY, twin

NAMES = ("cat", "annual crop land", "stop_sign")
D, V, E, LAYERS = 64, 96, 48, 3
ARGUMENTS = {
    "coop-middle": ["--position", "middle"], "coop-front": ["--position", "front"], "softcpt": ["--task", "things_at sea"],
}  # fmt: skip
tokenize = open_clip.get_tokenizer("ViT-B-32")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """(open_clip model, our Backbone, its folder)."""
    folder = tmp_path_factory.mktemp("model") / "backbone"
    return *twin(TINY | {"quick_gelu": True}, folder), folder


@pytest.fixture(scope="module")
def given_images():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


# Checkpoints, as the released modules name their tensors


def numbers(*shape: int) -> torch.Tensor:
    """Half precision, as the releases store them, and large enough to matter."""
    return (torch.randn(*shape) * 0.1).half()


def linear(name: str, rows: int, columns: int) -> dict:
    return {f"{name}.weight": numbers(rows, columns), f"{name}.bias": numbers(rows)}


def mixer(width: int) -> dict:
    block = {}
    for norm in ("ln_1", "ln_2"):
        block |= {f"{norm}.weight": 1 + numbers(width), f"{norm}.bias": numbers(width)}
    block |= {"attn.in_proj_weight": numbers(3 * width, width), "attn.in_proj_bias": numbers(3 * width)}
    block |= linear("attn.out_proj", width, width)
    block |= linear("mlp.c_fc", 4 * width, width) | linear("mlp.c_proj", width, 4 * width)
    return {f"mvlpt_proj.resblocks.0.{name}": value.float() for name, value in block.items()}


def tensors(kind: str) -> dict:
    torch.manual_seed(7)
    ctx = {"ctx": numbers(4, D)}
    visual = {"vpt_embeddings": numbers(1, 2, V), "vpt_embeddings_deep": numbers(LAYERS - 1, 2, V)}
    if kind == "maple":
        held = {"ctx": numbers(2, D)} | linear("proj", V, D)
        for i in range(2):
            held |= {f"compound_prompts_text.{i}": numbers(2, D).float()} | linear(f"compound_prompt_projections.{i}", V, D)
        return held
    if kind in ("ivlp", "promptsrc"):
        deep = {f"text_encoder.transformer.resblocks.{i}.VPT_shallow": numbers(2, D).float() for i in (1, 2)}
        visual = {f"image_encoder.transformer.resblocks.{i}.VPT_shallow": numbers(3, V).float() for i in (1, 2)}
        return {"ctx": numbers(2, D), "image_encoder.VPT": numbers(3, V)} | deep | visual
    if kind == "clip_adapter":
        return {"fc.0.weight": numbers(E // 4, E), "fc.2.weight": numbers(E, E // 4)}
    if kind == "upt":
        projections = {}
        for name, width in (("coop", D), ("vpt", V)):
            projections |= linear(f"mvlpt_proj_ctx_{name}_pre", 24, width) | linear(f"mvlpt_proj_ctx_{name}_post", width, 24)
        return ctx | visual | projections | mixer(24)
    net = linear("meta_net.linear1", 3, E) | linear("meta_net.linear2", D, 3)
    return {
        "coop": lambda: ctx,
        "kgcoop": lambda: ctx | {"bias_vectors": numbers(1, E)} | linear("meta_net.linear1", E, E),
        "prograd": lambda: ctx,
        "prograd-comma": lambda: ctx,
        "cocoop": lambda: ctx | net,
        "mvlpt-cocoop": lambda: {"cocoop_ctx": ctx["ctx"]} | net,
        "vpt": lambda: visual,
        "vpt-shallow": lambda: {"vpt_embeddings": visual["vpt_embeddings"]},
    }[kind]()


def around(theirs, n: int, texts: list[str]) -> dict:
    """The embeddings that the releases store beside the context."""
    rows = theirs.token_embedding(tokenize(texts)).half()
    return {"token_prefix": rows[:, :1], "token_suffix": rows[:, 1 + n :]}


def dassl_file(held: dict, path, **more) -> None:
    """What Dassl's trainer saves after its last epoch: live optimiser and schedule, a numpy score."""
    path.parent.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.002, momentum=0.9)
    optimizer.param_groups[0]["params"][0].sum().backward()
    optimizer.step()
    successor = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    checkpoint = {
        "state_dict": OrderedDict(held), "epoch": 50, "optimizer": optimizer.state_dict(), "val_result": np.float64(91.5),
        "scheduler": {"successor": successor, "warmup_epoch": 1, "cons_lr": 1e-5, "last_epoch": 50, "base_lrs": [0.002]},
    }  # fmt: skip
    torch.save(checkpoint | more, path)


def release(kind: str, theirs, folder):
    """The file, or for SoftCPT the folder, of a checkpoint of that kind."""
    xs = [f"X X X X {name.replace('_', ' ')}." for name in NAMES]
    if kind == "softcpt":
        torch.manual_seed(7)
        fixed = around(theirs, 4, ["X X X X other.", "X X X X things at sea."])
        dassl_file({"ctx": numbers(4, D)} | fixed, folder / "task_prompt_learner" / "model.pth.tar-50")
        dassl_file({"proj": numbers(E, 4 * D).float()}, folder / "prompt_gen" / "model.pth.tar-50")
        return folder
    if kind == "clip_adapter":
        dassl_file(tensors(kind), folder / "clip_adapter" / "model.pth.tar-50")
        return folder / "clip_adapter"
    worded = [f"a photo of a {name.replace('_', ' ')}." for name in NAMES]
    texts = worded if kind in ("maple", "ivlp", "promptsrc", "cocoop", "vpt", "vpt-shallow") else xs
    texts = [f"X X X X a {name.replace('_', ' ')}." for name in NAMES] if kind == "prograd-comma" else texts
    n = {"maple": 2, "ivlp": 2, "promptsrc": 2, "vpt": 2, "vpt-shallow": 2}.get(kind, 4)
    held = tensors(kind.removesuffix("-middle").removesuffix("-front")) | around(theirs, n, texts)
    if kind in ("maple", "ivlp", "promptsrc"):
        own = {name if "VPT" in name else f"prompt_learner.{name}": value for name, value in held.items()}
        frozen = {"logit_scale": torch.tensor(4.6), "image_encoder.transformer.resblocks.1.ln_1.weight": numbers(V)}
        held = own | frozen | ({"prompt_learner.ZS_image_encoder.proj": numbers(V, E)} if kind == "promptsrc" else {})
    if kind == "upt":
        held = {name.replace("mvlpt_proj", "upt_proj"): value for name, value in held.items()}
    if kind == "coop":
        held = {f"module.{name}": value for name, value in held.items()}
    dassl_file(held, folder / "prompt_learner" / "model.pth.tar-50")
    return folder / "prompt_learner" / "model.pth.tar-50"


# The equations, naively: all 77 tokens, one class and one image at a time


def text_feature(theirs, context, name: str, words: str = "", place: int | None = None, deep=()):
    """Unit feature of one sentence; place: how many vectors stand before the name."""
    n, name = len(context), f"{words} {name.replace('_', ' ')}".strip()
    place = n if place is None else place
    length = len(tokenize.encode(name))
    x = theirs.token_embedding(tokenize([f"{name}."]))[0]
    x = torch.cat([x[:1], context[:place], x[1 : 1 + length], context[place:], x[1 + length :]])[:77]
    end = 1 + n + len(tokenize.encode(f"{name}."))
    x = (x + theirs.positional_embedding)[None]
    for layer, block in enumerate(theirs.transformer.resblocks):
        if 0 < layer <= len(deep):
            x = torch.cat([x[:, :1], deep[layer - 1][None], x[:, 1 + n :]], dim=1)
        x = block(x, attn_mask=theirs.attn_mask)
    return F.normalize(theirs.ln_final(x)[0, end] @ theirs.text_projection, dim=-1)


def image_feature(theirs, image, first=None, deep=(), before_norm=False):
    """Unit feature of one image; VPT's prompts stand after the class token, MaPLe's at the end and in the first norm."""
    v = theirs.visual
    x = v.conv1(image[None]).flatten(2).transpose(1, 2)
    x = torch.cat([v.class_embedding.expand(1, 1, -1), x], dim=1) + v.positional_embedding
    if before_norm:
        x = v.ln_pre(torch.cat([x, first[None]], dim=1))
    else:
        x = v.ln_pre(x)
        x = x if first is None else torch.cat([x[:, :1], first[None], x[:, 1:]], dim=1)
    for layer, block in enumerate(v.transformer.resblocks):
        if 0 < layer <= len(deep):
            own, n = deep[layer - 1][None], len(first)
            x = torch.cat([x[:, :-n], own], dim=1) if before_norm else torch.cat([x[:, :1], own, x[:, 1 + n :]], dim=1)
        x = block(x)
    return F.normalize(v.ln_post(x[0, 0]) @ v.proj, dim=-1)


def mixed(held: dict):
    """UPT as released: every token through the block by itself."""
    get = lambda name: held[f"mvlpt_proj.resblocks.0.{name}"]  # noqa: E731
    apply = lambda x, name: F.linear(x, held[f"{name}.weight"], held[f"{name}.bias"])  # noqa: E731
    visual = torch.cat([held["vpt_embeddings"], held["vpt_embeddings_deep"]])
    h = torch.cat([apply(held["ctx"], "mvlpt_proj_ctx_coop_pre"), apply(visual.flatten(0, 1), "mvlpt_proj_ctx_vpt_pre")])
    normed = F.layer_norm(h, (24,), get("ln_1.weight"), get("ln_1.bias"))
    values = F.linear(normed, get("attn.in_proj_weight")[48:], get("attn.in_proj_bias")[48:])
    h = h + F.linear(values, get("attn.out_proj.weight"), get("attn.out_proj.bias"))
    normed = F.layer_norm(h, (24,), get("ln_2.weight"), get("ln_2.bias"))
    wide = F.linear(normed, get("mlp.c_fc.weight"), get("mlp.c_fc.bias"))
    h = h + F.linear(wide * torch.sigmoid(1.702 * wide), get("mlp.c_proj.weight"), get("mlp.c_proj.bias"))
    return apply(h[:4], "mvlpt_proj_ctx_coop_post"), apply(h[4:], "mvlpt_proj_ctx_vpt_post").view(LAYERS, 2, V)


def expected(kind: str, theirs, images) -> torch.Tensor:
    """Logits (B, C) straight from the released tensors."""
    if kind == "softcpt":
        torch.manual_seed(7)
        u, q = numbers(4, D).float(), numbers(E, 4 * D).float()
        context = (task_feature(theirs, u, "things at sea") @ q).view(4, D)
        weights = torch.stack([text_feature(theirs, context, name) for name in NAMES])
        return theirs.logit_scale.exp() * torch.stack([image_feature(theirs, image) for image in images]) @ weights.T
    held = {name: value.float() for name, value in tensors(kind.removesuffix("-middle").removesuffix("-front")).items()}
    places = {"coop-middle": 2, "coop-front": 0, "upt": 2}
    plain = lambda image: image_feature(theirs, image)  # noqa: E731
    behind = "a" if kind == "prograd-comma" else ""
    sentence = lambda name: text_feature(theirs, held["ctx"], name, words=behind, place=places.get(kind))  # noqa: E731
    if kind in ("ivlp", "promptsrc"):
        texts, tokens = (
            [held[f"{tower}.transformer.resblocks.{i}.VPT_shallow"] for i in (1, 2)] for tower in ("text_encoder", "image_encoder")
        )
        sentence = lambda name: text_feature(theirs, held["ctx"], name, words="of a", deep=texts)  # noqa: E731
        plain = lambda image: image_feature(theirs, image, held["image_encoder.VPT"], tokens, before_norm=True)  # noqa: E731
    if kind == "clip_adapter":
        texts = {name: tokenize([f"a photo of a {name.replace('_', ' ')}."]) for name in NAMES}
        sentence = lambda name: F.normalize(theirs.encode_text(texts[name]))[0]  # noqa: E731

        def plain(image):
            f = theirs.visual(image[None])[0]  # of any length, as the release has it
            hidden = F.relu(held["fc.0.weight"] @ f)
            return F.normalize(0.2 * F.relu(held["fc.2.weight"] @ hidden) + 0.8 * f, dim=-1)

    if kind in ("cocoop", "mvlpt-cocoop"):
        ctx = held.get("ctx", held.get("cocoop_ctx"))

        def row(image):
            f = plain(image)
            hidden = F.relu(held["meta_net.linear1.weight"] @ f + held["meta_net.linear1.bias"])
            shift = held["meta_net.linear2.weight"] @ hidden + held["meta_net.linear2.bias"]
            return torch.stack([text_feature(theirs, ctx + shift, name) @ f for name in NAMES])

        return theirs.logit_scale.exp() * torch.stack([row(image) for image in images])
    if kind == "maple":
        texts = [held["compound_prompts_text.0"], held["compound_prompts_text.1"]]
        coupled = [F.linear(held["ctx"], held["proj.weight"], held["proj.bias"])] + [
            F.linear(text, held[f"compound_prompt_projections.{i}.weight"], held[f"compound_prompt_projections.{i}.bias"])
            for i, text in enumerate(texts)
        ]
        sentence = lambda name: text_feature(theirs, held["ctx"], name, words="of a", deep=texts)  # noqa: E731
        plain = lambda image: image_feature(theirs, image, coupled[0], coupled[1:], before_norm=True)  # noqa: E731
    if kind in ("vpt", "vpt-shallow"):
        first, deep = held["vpt_embeddings"][0], held.get("vpt_embeddings_deep", ())
        texts = {name: tokenize([f"a photo of a {name.replace('_', ' ')}."]) for name in NAMES}
        sentence = lambda name: F.normalize(theirs.encode_text(texts[name]))[0]  # noqa: E731
        plain = lambda image: image_feature(theirs, image, first, deep)  # noqa: E731
    if kind == "upt":
        ctx, visual = mixed(held)
        sentence = lambda name: text_feature(theirs, ctx, name, place=2)  # noqa: E731
        plain = lambda image: image_feature(theirs, image, visual[0], visual[1:])  # noqa: E731
    weights = torch.stack([sentence(name) for name in NAMES])
    return theirs.logit_scale.exp() * torch.stack([plain(image) for image in images]) @ weights.T


def task_feature(theirs, context, name: str):
    """As SoftCPT takes it: not of unit length."""
    n, end = len(context), 1 + len(context) + len(tokenize.encode(f"{name}."))
    x = theirs.token_embedding(tokenize([f"{name}."]))[0]
    x = (torch.cat([x[:1], context, x[1 : 77 - n]]) + theirs.positional_embedding)[None]
    for block in theirs.transformer.resblocks:
        x = block(x, attn_mask=theirs.attn_mask)
    return theirs.ln_final(x)[0, end] @ theirs.text_projection


KINDS = {
    "coop": "coop", "coop-middle": "coop", "coop-front": "coop", "cocoop": "cocoop", "maple": "maple", "softcpt": "softcpt",
    "ivlp": "ivlp", "promptsrc": "promptsrc", "kgcoop": "kgcoop", "prograd": "prograd", "prograd-comma": "prograd",
    "clip_adapter": "clip_adapter",
    "vpt": "mvlpt", "vpt-shallow": "mvlpt", "upt": "mvlpt", "mvlpt-cocoop": "mvlpt",
}  # fmt: skip


@pytest.mark.parametrize("kind", mostly_slow(KINDS, ["coop", "cocoop", "maple", "softcpt", "upt", "promptsrc"]))
def test_an_imported_prompt_gives_the_logits_of_the_released_tensors(kind, model, given_images, tmp_path, capsys):
    theirs, ours, folder = model
    path, out = release(kind, theirs, tmp_path / "run"), tmp_path / "prompt.safetensors"
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    command = ["import-prompt", str(path), "--method", KINDS[kind], "--backbone", str(folder), "-o", str(out)]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--classes", str(tmp_path / "names.txt"), *ARGUMENTS.get(kind, [])])
    assert ended.value.code == 0 and "origin" in capsys.readouterr().out
    answer = promptatlas.load_prompt(out).classifier(backbone=folder)([Image.fromarray(image) for image in given_images])
    with torch.no_grad():
        images = torch.stack([ours.vision.normalise(torch.from_numpy(image)[None])[0] for image in given_images])
        logits = expected(kind, theirs, images)
    np.testing.assert_allclose(answer.logits, logits.numpy(), atol=2e-4)
    assert logits.std(dim=1).min() > 0.01  # the classes differ, or the comparison would show nothing


def test_mvlpts_coop_stands_in_the_middle_and_its_card_says_so(model, tmp_path):
    path = release("coop", model[0], tmp_path)
    trained, told = releases.read_release(path, "mvlpt", model[1])
    assert trained.prompts.position == "middle" and told == {"context": 4, "initial": "", "position": "middle"}
    assert releases.read_release(path, "coop", model[1])[0].prompts.position == "end"


def test_prograds_checkpoint_shows_which_word_stays_behind_its_context(model, tmp_path):
    """Its words differ by data set, so what it started from is told by place holders alone."""
    for kind, words in (("prograd", ""), ("prograd-comma", "a")):
        path = release(kind, model[0], tmp_path / kind)
        trained, told = releases.read_release(path, "prograd", model[1])
        assert trained.prompts.words == words and told == {"context": 4, "initial": f"X X X X {words}".strip()}
        with pytest.raises(UserError, match="prograd keeps no words of those it started from"):
            releases.read_release(path, "prograd", model[1], words="a photo of a")


def test_only_what_a_checkpoint_shows_is_told_of_it(model, tmp_path):
    """Weights of losses and the mean over epochs are in none of its tensors."""
    told = releases.read_release(release("promptsrc", model[0], tmp_path / "a"), "promptsrc", model[1])[1]
    assert told == {"context": 2, "prompts": 3, "layers": 3, "initial": "a photo of a"}
    told = releases.read_release(release("kgcoop", model[0], tmp_path / "b"), "kgcoop", model[1], words="")[1]
    assert told == {"context": 4, "initial": ""}
    told = releases.read_release(release("clip_adapter", model[0], tmp_path / "c"), "clip_adapter", model[1])[1]
    assert told == {"reduction": 4, "ratio": 0.2, "template": "a photo of a {}."}


@pytest.mark.parametrize("method", ["tcp", "promptsrc_maple", "task_res", "lp_plus_plus"])
def test_methods_whose_checkpoints_are_no_prompt_are_refused_in_one_sentence(method, model, tmp_path, capsys):
    dassl_file(tensors("cocoop"), tmp_path / "checkpoint.pt")
    command = ["import-prompt", str(tmp_path / "checkpoint.pt"), "--method", method, "--backbone", str(model[2]), "-o", str(tmp_path / "o")]
    with pytest.raises(SystemExit) as ended:
        cli.main(command)
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 1 and said.count("\n") == 0 and f"checkpoints of {method} cannot be made a prompt: " in said
    assert "choose from coop" in said and not (tmp_path / "o").exists()


def test_the_help_lists_the_releases_that_are_read(capsys):
    with pytest.raises(SystemExit):
        cli.main(["import-prompt", "--help"])
    told = " ".join(capsys.readouterr().out.split()).split("whose release: ")[1].split(" (all")[0]
    assert told.replace(" or ", ", ").split(", ") == [*(name for name in releases.RELEASES if name != "mvlpt"), "mvlpt"]


def test_a_folder_means_its_best_or_last_checkpoint(model, tmp_path):
    for epoch, value in ((5, 1.0), (50, 2.0), (7, 3.0)):
        dassl_file({"ctx": torch.full((4, D), value)}, tmp_path / f"model.pth.tar-{epoch}")
    assert releases.read_release(tmp_path, "coop", model[1])[0].prompts.text.unique() == 2
    dassl_file({"ctx": torch.full((4, D), 4.0)}, tmp_path / "model-best.pth.tar")
    assert releases.read_release(tmp_path, "coop", model[1])[0].prompts.text.unique() == 4


def test_softcpts_contexts_for_each_task_need_the_number_of_the_task(model, tmp_path):
    dassl_file({"ctx": numbers(3, 4, D)}, tmp_path / "task_prompt_learner" / "model.pth.tar-50")
    dassl_file({"proj": numbers(E, 4 * D)}, tmp_path / "prompt_gen" / "model.pth.tar-50")
    read = lambda number: releases.read_release(tmp_path, "softcpt", model[1], task="things", task_number=number)  # noqa: E731
    assert not torch.equal(read(1)[0].prompts.text, read(3)[0].prompts.text) and read(2)[1]["task_context"] == "specific"
    for number in (None, 0, 4):
        with pytest.raises(UserError, match="a context for each of 3 tasks; say with --task-number which is 'things'"):
            read(number)


@pytest.mark.parametrize("ctx", [numbers(4, D), numbers(3, 4, D)], ids=["CA", "CS"])
def test_softcpts_class_aware_variants_are_refused_for_what_they_are(ctx, model, tmp_path):
    """CA's vectors serve any class names, but give each another context: the sentence must hold for it too."""
    for part, held in (("task_prompt_learner", numbers(4, D)), ("class_prompt_learner", ctx)):
        dassl_file({"ctx": held}, tmp_path / part / "model.pth.tar-50")
    dassl_file({"proj": numbers(2 * E, 4 * D)}, tmp_path / "prompt_gen" / "model.pth.tar-50")
    with pytest.raises(UserError, match=r"makes another context for every class name, and a prompt has one .* NATA or NATS") as caught:
        releases.read_release(tmp_path, "softcpt", model[1], task="things")
    assert "serves no other" not in str(caught.value)


@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_an_imported_prompt_fits_images_as_it_is_told(resize, model, tmp_path, capsys):
    path, out = release("coop", model[0], tmp_path), tmp_path / "prompt.safetensors"
    command = ["import-prompt", str(path), "--method", "mvlpt", "--backbone", str(model[2]), "-o", str(out)]
    with pytest.raises(SystemExit):
        cli.main(command + (["--resize", "squash"] if resize == "squash" else []))
    prompt = promptatlas.load_prompt(out)
    assert prompt.card["resize"] == resize and f"resize       {resize}" in capsys.readouterr().out
    wide = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 90, 3), dtype=np.uint8))
    if resize == "squash":
        small = wide.resize((32, 32), Image.Resampling.BICUBIC)
    else:
        small = wide.resize((72, 32), Image.Resampling.BICUBIC).crop((20, 0, 52, 32))
    classifier = prompt.classifier(NAMES, backbone=model[1])
    np.testing.assert_array_equal(classifier(wide).logits, classifier(small).logits)


# What is not read


@pytest.mark.parametrize("where", ["state_dict", "val_result", "scheduler"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_checkpoint_that_would_run_code_is_refused(where, function, model, tmp_path):
    bad = harmful(function, tmp_path / "run")
    held = {"ctx": numbers(4, D)} | ({"bad": bad} if where == "state_dict" else {})
    dassl_file(held, tmp_path / "bad.pth.tar", **({} if where == "state_dict" else {where: bad}))
    words = "bad.pth.tar is no checkpoint of Dassl or holds other objects .* could run code"
    with pytest.raises(UserError, match=words) as caught:
        releases.read_release(tmp_path / "bad.pth.tar", "coop", model[1])
    assert not (tmp_path / "run").exists() and "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_named(share, model, tmp_path):
    path = release("coop", model[0], tmp_path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=r"model\.pth\.tar-50 is truncated or no checkpoint"):
        releases.read_release(path, "coop", model[1])


@pytest.fixture(scope="module")
def genuine(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genuine")
    dassl_file(tensors("cocoop"), folder / "genuine.pt")
    return folder / "genuine.pt"


@hypothesis(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(place=st.floats(0, 0.999), content=st.binary(min_size=1, max_size=4))
def test_any_damage_of_the_pickle_never_gives_more_than_one_sentence(place, content, model, genuine):
    def change(name, whole):
        start = int(place * len(whole))
        return whole[:start] + content + whole[start + len(content) :] if name.endswith("data.pkl") else whole

    path = rewritten(genuine, genuine.with_name("changed.pt"), change)
    said = ""
    try:
        releases.read_release(path, "cocoop", model[1])
    except UserError as error:
        said = str(error)
    assert not said or ("\n" not in said and "changed.pt" in said)


WRONG = {
    "lacks `ctx`; name the release": ("coop", {"prompts": numbers(4, D)}),
    "holds `meta_net.linear1.weight`, which this method": ("coop", tensors("cocoop")),
    "lacks `meta_net.linear1.weight`": ("cocoop", tensors("coop")),
    "lacks `proj.weight`": ("maple", tensors("coop")),
    "holds `image_encoder.VPT`, which this method": ("coop", tensors("ivlp")),
    "holds `text_encoder.transformer.resblocks.1.VPT_shallow`": ("coop", {
        f"prompt_learner.{name}" if name == "ctx" else name: value for name, value in tensors("ivlp").items() if name != "image_encoder.VPT"
    }),
    "lacks `image_encoder.VPT`": ("promptsrc", tensors("coop")),
    "the layers' prompts differ in shape": ("ivlp", tensors("ivlp") | {"image_encoder.VPT": numbers(2, V)}),
    "holds `bias_vectors`, which this method": ("prograd", tensors("kgcoop")),
    "holds `meta_net.linear2.weight`, which this method": ("kgcoop", tensors("cocoop")),
    "lacks `fc.0.weight`": ("clip_adapter", tensors("coop")),
    "its up.weight is 48x10 and not 48x12": ("clip_adapter", tensors("clip_adapter") | {"fc.2.weight": numbers(E, 10)}),
    "a context for every class": ("coop", {"ctx": numbers(3, 4, D)}),
    "its context is 4x32 and not 4x64": ("coop", {"ctx": numbers(4, 32)}),
    "its squeeze.weight is 3x40 and not": ("cocoop", tensors("cocoop") | {"meta_net.linear1.weight": numbers(3, 40)}),
    "`ctx` has the shape 0x64": ("coop", {"ctx": numbers(0, D)}),
    "`vpt_embeddings_deep` has the shape 2x3x96": ("mvlpt", tensors("vpt") | {"vpt_embeddings_deep": numbers(2, 3, V)}),
    "its prompts is 2x2x96 and not 3x2x96": ("mvlpt", tensors("vpt") | {"vpt_embeddings_deep": numbers(1, 2, V)}),
    "has no `mvlpt_proj`": ("mvlpt", tensors("vpt") | tensors("coop")),
    "lacks `mvlpt_proj.resblocks.0.ln_1.weight`": ("mvlpt", {k: v for k, v in tensors("upt").items() if "ln_1.weight" not in k}),
    "its block.mlp.c_fc.bias is missing": ("mvlpt", {k: v for k, v in tensors("upt").items() if "c_fc.bias" not in k}),
    "the layers' context differ in shape": ("maple", tensors("maple") | {"compound_prompts_text.1": numbers(3, D)}),
    "lacks `compound_prompt_projections.1.weight`": (
        "maple", {k: v for k, v in tensors("maple").items() if k != "compound_prompt_projections.1.weight"},
    ),
    "values in `ctx` that are no finite numbers": ("coop", {"ctx": torch.full((4, D), torch.inf)}),
    "was trained with another backbone than random": ("coop", tensors("coop") | {"token_prefix": numbers(3, 1, D)}),
    "does not go on with the words 'of a'": ("maple", tensors("maple") | {"token_suffix": numbers(3, 74, D)}),
    "holds no state dict": ("coop", {}),
    "give the folder of a run of SoftCPT": ("softcpt", tensors("coop")),
}  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_a_checkpoint_of_another_kind_is_refused_with_what_does_not_fit(words, model, tmp_path):
    method, held = WRONG[words]
    dassl_file(held, tmp_path / "wrong.pth.tar")
    path = tmp_path if method == "softcpt" else tmp_path / "wrong.pth.tar"
    with pytest.raises(UserError) as caught:
        releases.read_release(path, method, model[1], task="things")
    assert words in str(caught.value) and "\n" not in str(caught.value), caught.value


def test_wrong_words_of_a_user_are_refused(model, tmp_path):
    dassl_file(tensors("coop"), tmp_path / "coop.pt")
    for arguments, words in (
        (("clip",), "'clip' is no release that is known here; choose from coop"),
        (("coop", model[1], "left"), "'left' is no place for the class name"),
    ):
        with pytest.raises(UserError, match=words):
            releases.read_release(tmp_path / "coop.pt", *(arguments if len(arguments) > 1 else (*arguments, model[1])))
    dassl_file(tensors("vpt"), tmp_path / "vpt.pt")
    with pytest.raises(UserError, match="vpt keeps no words"):
        releases.read_release(tmp_path / "vpt.pt", "mvlpt", model[1], words="a photo")
    with pytest.raises(UserError, match=r"none\.pt does not exist"):
        releases.read_release(tmp_path / "none.pt", "coop", model[1])
    with pytest.raises(UserError, match="give the name with --task"):
        releases.read_release(tmp_path, "softcpt", model[1])
