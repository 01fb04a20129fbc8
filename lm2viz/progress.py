"""How far long work has come: a bar in the terminal, or told to whoever waits for it.

Every loop that can take long says so with ``track``, or with ``counting`` where something else counts. Called
from Python or a shell they draw a tqdm bar. Inside ``with followed(progress)`` they draw nothing, and another
thread may look at ``progress`` meanwhile. Work is followed thread by thread: what one visitor of the app
waits for never shows on the page of another.
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
    """Nobody waits any more for the work that was followed."""


PROGRESS_AFTER_S = 2.0  # what is over sooner needs no bar in a terminal
BAR: dict[str, Any] = {"delay": PROGRESS_AFTER_S, "leave": None}  # None: only outermost bars stay
TERMINAL_ONLY = None  # of tqdm's disable: a log file or a pipe gets no bar
_active_progress: "ContextVar[Progress | None]" = ContextVar("_following", default=None)


@dataclass(eq=False, slots=True)
class Loop:
    """A loop at work.

    what : what it does, in words; ``unit`` is what it does that to, one after another
    began, stepped : when, on the monotonic clock; ``stepped`` is when a step was last done, 0 before
    shown : the largest share that was told while it was the outermost loop: a bar never moves back
    """

    what: str
    unit: str
    total: int
    done: int = 0
    began: float = field(default_factory=monotonic)
    stepped: float = 0.0
    shown: float = 0.0

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        self.stepped = monotonic()

    def __str__(self) -> str:
        return f"{self.what}, {self.unit} {min(self.done + 1, self.total)} of {self.total}"


class Progress:
    """How far followed work has come. A loop inside another one moves that on by parts of a step.

    is_wanted : asked at every step; once it is False the work ends there, with ``Abandoned``
    """

    def __init__(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self._loops: list[Loop] = []
        self.is_wanted = is_wanted

    @property
    def loops(self) -> tuple[Loop, ...]:
        """Those at work now, the outermost first."""
        return tuple(self._loops)

    @contextmanager
    def loop(self, total: int, what: str, unit: str) -> Iterator[Loop]:
        """A loop for as long as the block lasts."""
        loop = Loop(what, unit, total)
        self._loops.append(loop)
        try:
            yield loop
        finally:
            self._loops.remove(loop)
            if self._loops:  # what this loop did counts for the one around it
                outer = self._loops[-1]
                outer.stepped = max(outer.stepped, loop.stepped)

    def share(self) -> float:
        """What is done of the outermost loop, in [0, 1]; 0 outside of loops."""
        loops = self.loops
        share, step = 0.0, 1.0
        for loop in loops:
            step /= max(loop.total, 1)
            share += step * min(loop.done, loop.total)
        if loops:
            share = loops[0].shown = min(max(share, loops[0].shown), 1.0)
        return share

    def seconds_left(self) -> float | None:
        """Until the outermost loop ends, at its pace up to the last step; None while nothing is done."""
        loops, share = self.loops, self.share()
        if not (loops and share):
            return None
        last = max(loop.stepped for loop in loops)
        return max((last - loops[0].began) * (1 / share - 1) - (monotonic() - last), 0.0)


@contextmanager
def report_progress_to(progress: Progress) -> Iterator[None]:
    """Tell ``progress`` of this thread's loops, for as long as the block lasts, instead of drawing them."""
    token = _active_progress.set(progress)
    try:
        yield
    finally:
        _active_progress.reset(token)


@contextmanager
def counting(total: int, what: str, unit: str) -> Iterator[Callable[[], object]]:
    """Yields what to call after each of ``total`` steps."""
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
    """The items one by one, each counted when the next is asked for."""
    with counting(len(items), what, unit) as step:
        for item in items:
            yield item
            step()


@contextmanager
def counting_sentences(model: Any, total: int, what: str = "reading") -> Iterator[None]:
    """Count the sentences, side by side in all stories, that an LM2 reads into its bank in the block."""
    with counting(total, what, "sentence") as step:
        counter = model.hook_bank.register_forward_hook(lambda *_: step() and None)
        try:
            yield
        finally:
            counter.remove()
