"""Progress of long work: a bar in the terminal, or a ``Progress`` object that another thread can poll.

Every loop that can take long is wrapped in ``track``, or in ``counting`` where something else does the
counting. By default they draw a tqdm bar. Inside ``with report_progress_to(progress)`` they update
``progress`` instead and draw nothing. Progress is tracked per thread, so one visitor's work never shows up on
another visitor's page.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


class Cancelled(Exception):
    """The work was stopped because nobody is waiting for it any more."""


PROGRESS_AFTER_S = 2.0  # shorter work draws no bar in a terminal
BAR: dict[str, Any] = {"delay": PROGRESS_AFTER_S, "leave": None}  # None: only the outermost bar stays
TERMINAL_ONLY = None  # value of tqdm's ``disable`` that draws no bar into a log file or a pipe
_active_progress: "ContextVar[Progress | None]" = ContextVar("_following", default=None)


@dataclass(eq=False, slots=True)
class Loop:
    """A running loop.

    what : what it does, in words; ``unit`` names what it iterates over
    began, stepped : seconds on the monotonic clock, of the start and of the last finished step (0 before)
    shown : the largest share reported while this was the outermost loop, so that a bar never moves back
    """

    what: str
    unit: str
    total: int
    done: int = 0
    began: float = field(default_factory=monotonic)
    stepped: float = 0.0
    shown: float = 0.0

    def step(self) -> None:
        """Count one finished step."""
        self.done += 1
        self.stepped = monotonic()

    def __str__(self) -> str:
        return f"{self.what}, {self.unit} {min(self.done + 1, self.total)} of {self.total}"


class Progress:
    """Progress of the loops in one thread. An inner loop advances the outer one by fractions of a step.

    is_wanted : called at every step; once it returns False, the work stops with ``Cancelled``
    """

    def __init__(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self._loops: list[Loop] = []
        self.is_wanted = is_wanted

    @property
    def loops(self) -> tuple[Loop, ...]:
        """The running loops, outermost first."""
        return tuple(self._loops)

    @contextmanager
    def loop(self, total: int, what: str, unit: str) -> Iterator[Loop]:
        """A loop that runs for as long as the block does."""
        loop = Loop(what, unit, total)
        self._loops.append(loop)
        try:
            yield loop
        finally:
            self._loops.remove(loop)
            if self._loops:  # a step of this loop also counts as a sign of life of the one around it
                outer = self._loops[-1]
                outer.stepped = max(outer.stepped, loop.stepped)

    def share(self) -> float:
        """Finished share of the outermost loop, in [0, 1]; 0 outside of loops."""
        loops = self.loops
        share, step = 0.0, 1.0
        for loop in loops:
            step /= max(loop.total, 1)
            share += step * min(loop.done, loop.total)
        if loops:
            share = loops[0].shown = min(max(share, loops[0].shown), 1.0)
        return share

    def seconds_left(self) -> float | None:
        """Seconds until the outermost loop ends, at its average pace; None before the first step."""
        loops, share = self.loops, self.share()
        if not (loops and share):
            return None
        last = max(loop.stepped for loop in loops)
        return max((last - loops[0].began) * (1 / share - 1) - (monotonic() - last), 0.0)


@contextmanager
def report_progress_to(progress: Progress) -> Iterator[None]:
    """Report this thread's loops to ``progress`` inside the block, instead of drawing bars."""
    token = _active_progress.set(progress)
    try:
        yield
    finally:
        _active_progress.reset(token)


@contextmanager
def counting(total: int, what: str, unit: str) -> Iterator[Callable[[], object]]:
    """Track ``total`` steps; yields the function to call after each."""
    progress = _active_progress.get()
    if progress is None:
        with tqdm(total=total, desc=what, unit=unit, disable=total < 2 or TERMINAL_ONLY, **BAR) as bar:
            yield bar.update
    else:
        with progress.loop(total, what, unit) as loop:

            def step() -> None:
                loop.step()
                if not progress.is_wanted():
                    raise Cancelled(what)

            yield step


def track(items: Collection[T], what: str, unit: str) -> Iterator[T]:
    """Iterate over ``items`` and track progress; an item counts as done when the next is requested."""
    with counting(len(items), what, unit) as step:
        for item in items:
            yield item
            step()


@contextmanager
def counting_sentences(model: Any, total: int, what: str = "reading") -> Iterator[None]:
    """Track the sentences that ``model`` reads in the block; stories of a batch are read in parallel."""
    with counting(total, what, "sentence") as step:
        counter = model.hook_bank.register_forward_hook(lambda *_: step() and None)
        try:
            yield
        finally:
            counter.remove()
