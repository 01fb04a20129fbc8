"""Many generated stories, with the bank after each sentence, of a model and its untrained control.

Story k is the one that ``generate_story`` makes with seed k, so that each can be opened by a link.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import streamlit as st

from app.loaders.models import load_model, load_untrained, model_lock
from lm2core.babi.tasks import Story, make_story
from lm2core.reading.answers import read_stories
from lm2core.reading.loaded_model import LoadedModel
from lm2core.traces.trace import Trace
from lm2viz.progress import track

MAX_SENTENCES = 4_000  # of a sample: 25 MB a model with 24 slots of 64, and probes of seconds, not minutes
PART_SENTENCES = 100  # read at once, under the lock: a second at most on two cores
PART_BUDGET = "200MB"  # of the trace of one part; one story of 200 sentences takes some 10 MB


@dataclass(frozen=True)
class RecordedSample:
    """Banks (``hook_bank``) of the same stories in several traces; their stories are numbered throughout."""

    traces: tuple[Trace, ...]
    control: tuple[Trace, ...]

    @property
    def sentences(self) -> list[list[str]]:
        """The sentences of each story."""
        return [story["sentences"] for trace in self.traces for story in trace.info["stories"]]


@st.cache_resource(max_entries=2, show_spinner=False)
def load_sample(model: str, task: str, n: int) -> RecordedSample:
    """The first ``n`` stories of a task, or as many as allowed, read by ``model`` and an untrained one."""
    stories = _first_stories(task, n)
    lms = (load_model(model), load_untrained(model))
    return RecordedSample(
        *(read_in_parts(lm, stories, ["hook_bank"]) for lm in track(lms, "reading", "model"))
    )


def _first_stories(task: str, n: int) -> list[Story]:
    stories: list[Story] = []
    n_left = MAX_SENTENCES
    for seed in range(n):
        story = make_story(task, Random(seed))
        n_left -= len(story.sentences)
        if stories and n_left < 0:
            break
        stories.append(story)
    return stories


def read_in_parts(lm: LoadedModel, stories: Sequence[Story], hooks: Sequence[str]) -> tuple[Trace, ...]:
    """Read part by part: between parts the lock is free for pages that show a single story."""
    traces = []
    for part in track(list(_parts(stories)), "reading stories", "part"):
        with model_lock:
            traces.append(read_stories(lm, part, names=hooks, budget=PART_BUDGET))
    return tuple(traces)


def _parts(stories: Sequence[Story]) -> Iterator[list[Story]]:
    """Stories in order, in parts of at most ``PART_SENTENCES`` sentences, or of one story."""
    part: list[Story] = []
    for story in stories:
        if part and sum(len(one.sentences) for one in (*part, story)) > PART_SENTENCES:
            yield part
            part = []
        part.append(story)
    if part:
        yield part
