"""promptatlas on a GPU: is it right there, how fast is it, of what is possible, and beside the published way.

    python benchmarks/gpu.py [--out gpu.jsonl] [--study FOLDER] [--only agreement,steps] [--seconds 460] [--device cpu --tiny]

Sections in order of worth, each with a time of its own; what is found is written as it comes, a line of JSON each. Weights of
ViT-B/16's size are random. --study: the folder of a finished study of the backbone `mini` on the CPU, with tasks, draws, prompts and
cells, or some of its tasks, whose answers and scores the device has to give. The section `asked` holds what was found against what was
wanted, line by line. CUBLAS_WORKSPACE_CONFIG=:4096:8 has to be set for the section `deterministic`,
which is left out otherwise. With --device cpu --tiny the same sections run anywhere; their numbers mean nothing.
Needs torch, numpy, pandas, scipy, scikit-learn, Pillow, safetensors, tokenizers, PyYAML and pyarrow, and of what is rarer ftfy and
jsonschema, and open_clip to export the mini model; no network.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu_parts import agreement, asked, ceilings, hours, memory, precision, published, scene, speed, study
from gpu_parts.ledger import Ledger
from gpu_parts.scene import Scene
from promptatlas.runs import devices

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
# By section: most seconds. On an H200 everything took six and a half minutes.
LIMITS = {
    "machine": 5, "agreement": 30, "ceilings": 10, "steps": 95, "evaluations": 65, "study": 75, "memory": 30, "published": 65,
    "precision": 30, "hours": 2, "waits": 40, "asked": 2, "kernels": 30, "sizes": 60, "deterministic": 20,
}  # fmt: skip


def machine(view: Scene, ledger: Ledger) -> None:
    known: dict[str, Any] = {"torch": torch.__version__, "python": platform.python_version(), "numpy": np.__version__}
    known |= {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "cpu": torch.backends.cpu.get_cpu_capability()}
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    known |= {"processor": next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")}
    known |= {"override of TF32": os.environ.get("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"), WORKSPACE: os.environ.get(WORKSPACE)}
    known |= {"tf32 products": torch.backends.cuda.matmul.allow_tf32, "tf32 convolutions": torch.backends.cudnn.allow_tf32}
    if view.cuda:
        device = torch.cuda.get_device_properties(0)
        known |= {"gpu": device.name, "mib": device.total_memory // 2**20, "capability": f"{device.major}.{device.minor}"}
        known |= {"multiprocessors": device.multi_processor_count, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    ledger.row("machine", **known)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=None, help="file of JSON lines (default: printed only)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--study", type=Path, default=None, help="folder of a finished study of the backbone mini")
    parser.add_argument("--only", default=",".join(LIMITS), help="sections, with commas")
    parser.add_argument("--seconds", type=float, default=460.0, help="most for everything")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tiny", action="store_true", help="everything as small as it can be")
    options = parser.parse_args(arguments)
    started, ledger = time.perf_counter(), Ledger(options.out)
    device = devices.chosen(options.device, options.threads)
    with tempfile.TemporaryDirectory() as folder:
        mini = scene.mini(Path(folder) / "mini")
        large = scene.random(scene.TINY if options.tiny else scene.B16, mini, device)
        view = Scene(device, options.tiny, mini, large, options.study)
        work = {
            "machine": machine, "agreement": agreement.measure, "ceilings": ceilings.measure, "steps": speed.steps,
            "evaluations": speed.evaluations, "study": study.measure, "memory": memory.measure, "published": published.measure,
            "precision": precision.measure, "waits": speed.waits, "kernels": speed.kernels, "sizes": speed.sizes,
            "hours": lambda _, ledger: hours.measure(ledger), "asked": asked.measure, "deterministic": agreement.deterministic,
        }  # fmt: skip
        for name in options.only.split(","):
            if name == "deterministic" and view.cuda and WORKSPACE not in os.environ:
                continue
            left = options.seconds - (time.perf_counter() - started)
            most = left if options.tiny else min(LIMITS[name], left)
            ledger.run(name, lambda name=name: work[name](view, ledger), most)
            view.tidy()


if __name__ == "__main__":
    main()
