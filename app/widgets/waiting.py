"""Waiting for an analysis with a progress bar and the time left. The only way in which pages wait.

The analysis runs in its own thread, because a cached function may not draw; the page's thread polls its
progress, so that clicks are answered at once. Pages that want the same analysis share one run, and a run
that no page waits for any more ends at its next step.
"""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from functools import partial
from threading import Lock, Thread
from time import monotonic
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from lm2viz.progress import Cancelled, Progress, report_progress_to

P = ParamSpec("P")
T = TypeVar("T")
SHOW_AFTER_S, LOOK_EVERY_S = 0.4, 0.25  # a faster result draws no bar
TELL_AFTER_S = 2.0  # into a loop: before, its time left is a guess
MINUTES_FROM_S = 90
ABANDONED_AFTER_S = 3.0  # without a page that waits: one that is only redrawn is back sooner


class _Job:
    """One call of a loader in its thread."""

    def __init__(self) -> None:
        self.result: Future[Any] = Future()
        self.progress = Progress(self.is_wanted)
        self.began = self.looked_at = monotonic()

    def is_wanted(self) -> bool:
        """Whether a page has polled it lately."""
        return monotonic() - self.looked_at < ABANDONED_AFTER_S

    def is_done(self, within_s: float) -> bool:
        """Whether it is done, or will be within this time. Called by a page."""
        self.looked_at = monotonic()
        return bool(wait([self.result], within_s).done)

    def message(self) -> str:
        """What it is doing, and the time left."""
        loops, left = self.progress.loops, self.progress.seconds_left()
        doing = f"{loops[-1]} · " if loops else ""
        if not loops or left is None or monotonic() - loops[0].began < TELL_AFTER_S:
            return f"{doing}{monotonic() - self.began:.0f} s so far"
        if left < MINUTES_FROM_S:
            return f"{doing}about {max(left, 1):.0f} s left of this part"
        return f"{doing}about {left / 60:.0f} min left of this part"


_jobs: dict[Hashable, _Job] = {}
_jobs_lock = Lock()


def wait_for(message: str, load: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``load`` returns or raises for these arguments; shows a progress bar when it takes long.

    ``load`` must neither draw nor use the user's session.

    message : what the user waits for, as Markdown
    """
    job = _started(load, args, kwargs)
    place = st.empty()  # always there, so that what follows keeps its place with and without a bar
    if not job.is_done(SHOW_AFTER_S):
        while not job.is_done(LOOK_EVERY_S):
            place.progress(job.progress.share(), text=f"{message} · {job.message()}")
        place.empty()
    try:
        outcome: T = job.result.result()
    except Cancelled:  # just before this page joined the run
        return wait_for(message, load, *args, **kwargs)
    return outcome


def _started(load: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Job:
    """The run of this call: the current one, or a new one."""
    key = (load, args, tuple(sorted(kwargs.items())))
    with _jobs_lock:
        if key in _jobs:
            return _jobs[key]
        job = _jobs[key] = _Job()
    Thread(target=_run, args=(job, key, partial(load, *args, **kwargs)), daemon=True).start()
    return job


def _run(job: _Job, key: Hashable, load: Callable[[], Any]) -> None:
    """Compute the result, or keep the error, which is raised where it is waited for."""
    outcome, error = None, None
    try:
        with report_progress_to(job.progress):
            outcome = load()
    except BaseException as why:
        error = why
    with _jobs_lock:
        _jobs.pop(key, None)
    if error is None:
        job.result.set_result(outcome)
    else:
        job.result.set_exception(error)
