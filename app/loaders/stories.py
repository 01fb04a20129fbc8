"""Stories: the app's examples, generated ones, and those that users paste."""

import hashlib
import re
from collections.abc import Sequence
from threading import Lock

import streamlit as st

from lm2core.babi.known_facts import KnownFacts, parse_facts
from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.english.generated import generated_stories
from lm2core.errors import UserError
from lm2viz.stage import examples

# Limits for pasted stories; 'lm2 trace' has none.
MAX_SENTENCES, MAX_WORDS, MAX_CHARACTERS = 400, 32, 40_000  # words of a sentence, characters of a story
MAX_PASTED_STORIES = 200  # pasted stories that the server keeps for their links
_stories_lock = Lock()


@st.cache_data(max_entries=20)
def load_example(name: str) -> TextStory:
    """A story that comes with the app."""
    return examples.example_story(name)


@st.cache_data(max_entries=50)
def generate_story(task: str, seed: int) -> Story:
    """A generated story of a task or a kind; the same seed gives the same story."""
    (story,) = generated_stories(task, 1, seed)
    return story


@st.cache_data(max_entries=50, show_spinner=False)
def task_and_facts(sentences: tuple[str, ...]) -> tuple[str, list[KnownFacts]]:
    """The task closest to such a story, and its facts; empty where a sentence belongs to no task."""
    facts = parse_facts(sentences)
    if not facts:
        return "", []
    has_things = any(fact.startswith("holder of") for known in facts for fact in known)
    return "qa2" if has_things else "qa1", facts


@st.cache_resource
def _pasted_stories() -> dict[str, tuple[str, ...]]:
    return {}


def check_story(sentences: Sequence[str]) -> None:
    """Refuse a pasted story that the page cannot step through.

    Raises
    ------
    UserError
        What is too long, what is allowed, and how to read longer stories.
    """
    n_characters = sum(map(len, sentences))
    too_long = "Shorten it, or record it with: lm2 trace MODEL --story FILE --out run.safetensors"
    if len(sentences) > MAX_SENTENCES:
        raise UserError(
            f"the story has {len(sentences)} sentences; the page shows at most {MAX_SENTENCES}. {too_long}"
        )
    if n_characters > MAX_CHARACTERS:
        raise UserError(
            f"the story has {n_characters} characters; the page reads at most {MAX_CHARACTERS}. {too_long}"
        )
    longest = max((len(re.findall(r"\w+|[^\w\s]", s)) for s in sentences), default=0)
    if longest > MAX_WORDS:
        raise UserError(f"a sentence has {longest} words; the page reads at most {MAX_WORDS}. {too_long}")


def store_story(sentences: Sequence[str]) -> str:
    """Keep a pasted story for its link and return its key; those unused for longest are dropped."""
    key = hashlib.sha256("\n".join(sentences).encode()).hexdigest()[:16]
    stories = _pasted_stories()
    with _stories_lock:
        stories.pop(key, None)  # pasted again: now the newest
        stories[key] = tuple(sentences)
        while len(stories) > MAX_PASTED_STORIES:
            stories.pop(next(iter(stories)))
    return key


def find_story(key: str) -> tuple[str, ...] | None:
    """The pasted story of a link, or None when this server does not have it."""
    return _pasted_stories().get(key)
