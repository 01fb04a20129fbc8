"""Shared fixtures: small models whose sizes all differ, and reference data that may be absent."""

import os
from pathlib import Path

# Small tensors: a second thread only waits for the first. Set before torch loads, for child processes too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402
import torch  # noqa: E402
from transformers import PreTrainedModel  # noqa: E402
from xdist.remote import Producer  # noqa: E402
from xdist.scheduler import LoadFileScheduling  # noqa: E402

from lm2core.model.causal_lm import LM2ForCausalLM  # noqa: E402
from lm2core.model.config import LM2Config  # noqa: E402

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

B, S, T, N, D, V = 2, 4, 6, 5, 12, 17
SIZES = {
    "vocab_size": V,
    "hidden_size": D,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "memory_slots": N,
    "memory_heads": 3,
    "segment_length": T,
}
POSITIONAL = {"routing": "positional", "memory_slots": T}
EVERY_ROUTING = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"memory_top_k": 2},
        {"memory_gate_rank": 3},
        {"candidate": "memory"},
        POSITIONAL,
        POSITIONAL | {"candidate": "memory"},
        POSITIONAL | {"memory_gate_rank": 3, "memory_top_k": 2},
    ],
    ids=[
        "content",
        "top-k",
        "thin gates",
        "content, eq. 6",
        "positional",
        "positional, eq. 6",
        "positional, thin, top-k",
    ],
)


def make_model(*, seed: int = 0, **changes: object) -> LM2ForCausalLM:
    """An untrained model of the small sizes."""
    torch.manual_seed(seed)
    return LM2ForCausalLM(LM2Config(**(SIZES | changes))).eval()


def with_values(armt: PreTrainedModel) -> PreTrainedModel:
    """An ARMT that writes values; a new one writes zeros only, so that nothing would depend on its memory."""
    for memory in armt.model.memories:
        torch.nn.init.normal_(memory.value.weight, std=D**-0.5)
    return armt


def make_ids(*shape: int, seed: int = 1) -> torch.Tensor:
    """Random token ids."""
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


# What takes longest, the longest first: a worker that began one of them last would end alone.
LONGEST = (
    "tests/browser",
    "tests/test_shipped_model.py",
    "tests/test_readme.py",
    "tests/lm2core/compare/test_compare.py",
    "tests/lm2core/training/text",
    "tests/test_tour.py",
    "tests/test_benchmarks.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest is begun first."""
    places = {item: item.path.relative_to(ROOT).as_posix() for item in items}
    ranks = {place: rank for rank, place in enumerate(LONGEST)}
    items.sort(key=lambda item: min((ranks[x] for x in LONGEST if places[item].startswith(x)), default=99))


class Groups(LoadFileScheduling):
    """With several workers a file's tests stay on one, and those with a browser share one server."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups | None:
    """Instead of marks, which xdist 3.8 loses with pytest 9.2 (pytest-dev/pytest-xdist, issue 1386)."""
    return Groups(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.fixture
def model() -> LM2ForCausalLM:
    """An untrained model with content routing."""
    return make_model()


def shared_folder(name: str, what: str) -> Path:
    """A folder of data that is not part of the project; where it is absent the test is skipped."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{what} are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def babi_dir() -> Path:
    """Folder of the published bAbI training files."""
    return shared_folder("babi", "the published bAbI files")
