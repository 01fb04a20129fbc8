"""The parts in which many stories are read: how large they are, and what all of them together may take."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.byte_sizes import format_bytes, parse_bytes
from lm2core.errors import UserError

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel

Stories = Sequence[Story | TextStory]

PART_SENTENCES = 300  # read at once: a second at most on two cores, after which a lock is free for others
PART_BUDGET = "256MB"  # of a part that is made when it is asked for; a single story may take more


def story_parts(stories: Stories, n_at_most: int | None = None) -> Iterator[Stories]:
    """Stories in their order, in parts of at most ``PART_SENTENCES`` (or so many), or of one story."""
    n_at_most = n_at_most or PART_SENTENCES
    part: list[Story | TextStory] = []
    n_sentences = 0
    for story in stories:
        if part and n_sentences + len(story.sentences) > n_at_most:
            yield part
            part, n_sentences = [], 0
        part.append(story)
        n_sentences += len(story.sentences)
    if part:
        yield part


def part_sentences(lm: "LoadedModel", stories: Stories, names: Sequence[str]) -> int:
    """How many sentences of these stories a part may have: fewer of a large model.

    names : hooks that are recorded
    """
    longest = max(_n_tokens(lm, stories).values())
    n_bytes = _trace_bytes(lm, [(1, 1, longest)], names)
    return max(min(parse_bytes(PART_BUDGET) // n_bytes, PART_SENTENCES), 1)


def check_budget(lm: "LoadedModel", parts: Sequence[Stories], names: Sequence[str], budget: str) -> None:
    """Refuse traces that would be too large together, padded as they are to the longest story of a part."""
    n_tokens = _n_tokens(lm, [story for part in parts for story in part])
    shapes = [
        (
            len(part),
            max(len(story.sentences) for story in part),
            max(n_tokens[sentence] for story in part for sentence in story.sentences),
        )
        for part in parts
    ]
    n_bytes = _trace_bytes(lm, shapes, names)
    if n_bytes > parse_bytes(budget):
        raise UserError(
            f"the traces of {sum(map(len, parts))} stories would take {format_bytes(n_bytes)}, the budget is "
            f"{budget}; use fewer stories, or in Python fewer hooks or a larger budget"
        )


def _n_tokens(lm: "LoadedModel", stories: Stories) -> dict[str, int]:
    """Tokens of each sentence."""
    from lm2core.text.tokenizer import segment_ids

    sentences = sorted({sentence for story in stories for sentence in story.sentences})
    return dict(zip(sentences, map(len, segment_ids(lm.tokenizer, sentences)), strict=True))


def _trace_bytes(lm: "LoadedModel", shapes: Sequence[tuple[int, int, int]], names: Sequence[str]) -> int:
    """Bytes of traces of so many stories, segments and tokens."""
    from lm2core.traces.hooks import match_hooks
    from lm2core.traces.recording import trace_bytes

    chosen = match_hooks(list(names), lm.model.config)
    return sum(trace_bytes(lm.model, shape, chosen) for shape in shapes)
