"""Methods of the text tower on a backbone of any kind: tuned, then applied, and compared with the equations image by image."""

import torch
import torch.nn.functional as F

from promptatlas.backbone.encode import encode_task
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.training import single_task
from small_tasks import SMALL, draws_of

OWN = {"coop": {"context": 4, "position": "end"}, "cocoop": {"batch_size": 5}}


def assert_tuned_and_applied(model, backbone, text, task, method, monkeypatch):
    """text(names, context (n, d)): features (C, e) by open_clip's own blocks, of which `model` has the images' too."""
    draws, complete = draws_of(task, [1, 2], shots=2), settings(method, SMALL | {"epochs": 6, "learning_rate": 0.01} | OWN[method])
    trained = single_task.tune_task(backbone, method, complete, task, draws, [1, 2])
    assert all(one.history[-1]["loss"] < one.history[0]["loss"] for one in trained)
    images, names, scale = task.images("test")[:6], task.task.class_names, model.logit_scale.exp()
    unit = model.encode_image(backbone.vision.read(images), normalize=True)
    whole = evaluate.answers(backbone, names, images, unit.numpy(), [one.prompts for one in trained])
    monkeypatch.setitem(evaluate.TOKENS_PER_PASS, "cpu", 1)  # one prompt, or one image of CoCoOp, per pass
    single = evaluate.answers(backbone, names, images, unit.numpy(), [one.prompts for one in trained])
    for k, p in enumerate(one.parameters for one in trained):
        for i, f in enumerate(unit):
            context = p["context"].reshape(-1, p["context"].shape[-1])
            if method == "cocoop":
                hidden = torch.relu(p["squeeze.weight"] @ f + p["squeeze.bias"])
                context = context + p["expand.weight"] @ hidden + p["expand.bias"]
            expected = scale * F.normalize(text(names, context), dim=-1) @ f
            for logits in (whole, single):
                torch.testing.assert_close(torch.from_numpy(logits[k, i]), expected, atol=1e-4, rtol=1e-4)
    together = evaluate.evaluate(backbone, task, encode_task(backbone, task), [one.prompts for one in trained])
    right = whole.argmax(-1) == task.labels("test")[:6]
    assert all((one.correct[:6] == own).all() for one, own in zip(together, right, strict=True))
