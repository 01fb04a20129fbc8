"""A sample of stories: how commands, pages, lessons and notebooks draw, read and label what they measure on.

One convention for all of them: story i of a generated sample has the seed ``seed`` + i. So a sample of 300
begins with the sample of 200, and a number of a page is the number of the command.

Imports no torch until a model reads.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lm2core.babi.known_facts import known_facts, parse_facts
from lm2core.babi.story import Story
from lm2core.babi.text import read_babi
from lm2core.english.generated import generated_stories
from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.progress import track
from lm2viz.sample.on_demand import TracesOnDemand
from lm2viz.sample.parts import Stories, check_budget, part_sentences, story_parts
from lm2viz.sample.rows import BankRows, bank_rows

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel

Source = str | Path | Stories | Trace | Sequence[Trace]

NO_LOCK: AbstractContextManager[Any] = nullcontext()
BUDGET = "2GB"  # of the traces of a sample; 300 stories of task 1 with all memory hooks take 0.4 GB


@dataclass(frozen=True)
class StorySample:
    """Stories of one source, and how a model reads them.

    source : a task, ``"qa1"`` to ``"qa20"``, or a kind of English stories, such as ``"one-fact"``; a file in
        the bAbI format; stories; or recorded traces: a trace, several, their file, or a folder of parts
        (``lm2 trace``)
    n : how many stories, the first ones; None for all of a file or list. Traces are always taken whole
    seed : of a task's stories, where story i is drawn with ``seed`` + i, and of the untrained control

    Raises
    ------
    UserError
        For fewer than one story, a task without ``n``, traces with one, and a seed below 0.
    """

    source: Source
    n: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the three together."""
        if self.n is not None and self.n < 1:
            raise UserError(f"n = {self.n} stories; give 1 or more")
        if self.seed < 0:
            raise UserError(f"seed {self.seed}; give 0 or more: story i is drawn with seed + i")
        if self.is_recorded and self.n is not None:
            raise UserError(f"n = {self.n} with recorded traces, which are always used whole; omit n")
        if self.is_generated and self.n is None:
            raise UserError(f"how many stories of {self.source}? Give n, such as StorySample('qa1', 200)")

    @property
    def is_recorded(self) -> bool:
        """Whether the source is traces, which need no model and have none."""
        if isinstance(self.source, str | Path):
            return holds_traces(self.source)
        if isinstance(self.source, Trace):
            return True
        return any(isinstance(one, Trace) for one in self.source[:1])

    @property
    def is_generated(self) -> bool:
        """Whether the source is a task."""
        if not isinstance(self.source, str | Path) or self.is_recorded:
            return False
        return Path(self.source).suffix == "" and not Path(self.source).is_file()

    def describe(self) -> str:
        """Which stories these are, in words."""
        n = len(self.stories)
        return f"{n} {'story' if n == 1 else 'stories'} of {self.source}"

    @cached_property
    def stories(self) -> Stories:
        """The stories; a UserError for recorded traces, an unknown task, or a file that cannot be read."""
        if self.is_recorded or isinstance(self.source, Trace):
            raise UserError("recorded traces cannot be read again; give the task or file of their stories")
        if isinstance(self.source, str | Path):
            if self.is_generated:
                return generated_stories(str(self.source), self.n or 0, self.seed)
            return read_babi(self.source)[: self.n]
        return [one for one in self.source[: self.n] if not isinstance(one, Trace)]

    @cached_property
    def fact_names(self) -> list[str]:
        """What is known after some sentence of the stories, in the order of the alphabet."""
        known = (
            known_facts(one.statements) if isinstance(one, Story) else parse_facts(one.sentences) or []
            for one in self.stories
        )
        return sorted({name for facts in known for after in facts for name in after})

    def up_to(self, n_sentences: int) -> "StorySample":
        """The sample of its first stories that have at most ``n_sentences`` together, but of one story."""
        totals = accumulate(len(one.sentences) for one in self.stories)
        return replace(self, n=max(sum(total <= n_sentences for total in totals), 1))

    def control(self, lm: "LoadedModel") -> "LoadedModel":
        """The untrained control: a new model of the sizes of ``lm``, made with the seed of the sample."""
        from lm2core.reading.loaded_model import untrained

        return untrained(lm, self.seed)

    def model_and_control(self, lm: "LoadedModel") -> "Iterator[LoadedModel]":
        """The model, then its untrained control: every measurement is taken of both."""
        yield from track((lm, self.control(lm)), "measuring, trained or not", "model")

    def read(
        self,
        lm: "LoadedModel | None" = None,
        names: Sequence[str] = ("hook_bank",),
        *,
        budget: str = BUDGET,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> Sequence[Trace]:
        """The stories as ``lm`` reads them, in traces of some stories each; recorded ones as they are.

        names : hooks that are recorded, see docs/HOOKS.md
        budget : of all traces together
        lock : held while a part is read, for a model that others run too

        Raises
        ------
        UserError
            As ``stories`` and ``read_stories``; before anything is read for traces over the budget; without a
            model to read them.
        """
        if self.is_recorded:
            return _recorded(self.source)
        if lm is None:
            raise UserError("a model must read these stories; give one that lm2core.load opened")
        from lm2core.reading.answers import check_stories, read_stories

        check_stories(lm, self.stories)
        parts = list(story_parts(self.stories))
        check_budget(lm, parts, names, budget)
        traces = []
        for part in track(parts, "reading stories", "part"):
            with lock:
                traces.append(read_stories(lm, part, names=names, budget=budget))
        return traces

    def read_on_demand(self, lm: "LoadedModel", names: Sequence[str] = ("hook_bank",)) -> TracesOnDemand:
        """The traces of ``read``, each made when an analysis comes to it: any number of stories, no budget.

        Raises
        ------
        UserError
            As ``stories`` and ``check_stories``; for recorded traces, which need no reading.
        """
        from lm2core.reading.answers import check_stories, read_stories

        check_stories(lm, self.stories)
        parts = list(story_parts(self.stories, part_sentences(lm, self.stories, names)))
        return TracesOnDemand(len(parts), lambda i: read_stories(lm, parts[i], names=names, budget=BUDGET))

    def rows(
        self,
        lm: "LoadedModel | None" = None,
        labels: pd.DataFrame | None = None,
        *,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> BankRows:
        """The bank after every sentence with what was known then; a UserError as ``read`` and ``bank_rows``.

        labels : facts of one's own, as ``read_labels`` gives them, instead of those of the stories
        """
        return bank_rows(self.read(lm, lock=lock), labels)

    def questions(
        self,
        lm: "LoadedModel",
        traces: Sequence[Trace],
        names: Sequence[str] | None = None,
        *,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> list[Trace]:
        """What the questions of the stories read, trace by trace of ``read``; see ``record_questions``.

        names : hooks that are recorded, by default all of a read
        """
        from lm2core.reading.answers import READ_HOOKS
        from lm2core.reading.story_traces import record_questions

        question_traces = []
        for trace in track(traces, "asking questions", "part"):
            with lock:
                question_traces.append(record_questions(lm, trace, names=names or READ_HOOKS))
        return question_traces


def holds_traces(path: str | Path) -> bool:
    """Whether a path names a trace file, or a folder of traces in parts."""
    path = Path(path)
    return path.suffix == ".safetensors" or (path.is_dir() and any(path.glob("part-*.safetensors")))


def _recorded(source: Source) -> Sequence[Trace]:
    if isinstance(source, Trace):
        return [source]
    if not isinstance(source, str | Path):
        return source  # type: ignore[return-value]  # recorded, so traces
    if Path(source).suffix == ".safetensors":
        return [Trace.load(source)]
    from lm2core.traces.folder import TraceFolder

    return TraceFolder(source)
