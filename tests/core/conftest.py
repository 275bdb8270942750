"""Random small CLIPs in open_clip's form and in ours."""

import pytest
from twins import TINY, twin


@pytest.fixture(scope="session", params=[False, True], ids=["gelu", "quick_gelu"])
def tiny(request, tmp_path_factory):
    return twin(TINY | {"quick_gelu": request.param}, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory):
    return twin(TINY | {"quick_gelu": False}, tmp_path_factory.mktemp("tiny"))[1]
