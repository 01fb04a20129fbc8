"""What the slots of a memory beside a Llama hold in open English, beside the Llama with an untrained memory.

Held: of the facts that are true at the end of a story, the share whose place begins with a word that some
slot says when it is read alone. Current: of the words that slots say, the share that belong to a place that
is true. Allotted: how often two stories that begin with a sentence about the same person, in other places
and any phrasing, write to the same slot; and about different people. Unnamed: how often a question about
somebody whom the story does not name is answered with one of its places.

    python benchmarks/english_slots.py smollm2-135m-stories --stories 40
"""

from collections.abc import Sequence
from itertools import combinations
from random import Random
from typing import Annotated

import typer

from lm2core.babi.story import Statement, Story
from lm2core.english.generated import generated_stories
from lm2core.english.lexicon import lexicon
from lm2core.english.sentences import Sentence
from lm2core.evaluation.intervals import wilson_interval
from lm2core.reading.answers import memory_after, ranked_words, read_story
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import LoadedModel, untrained
from lm2core.text.shown_words import shown_words
from lm2core.text.tokenizer import answer_tokens
from lm2viz.causal.slot_lens import slot_lens

N_TOLD = 3  # sentences about each person


def held_and_current(lm: LoadedModel, stories: Sequence[Story]) -> tuple[list[bool], list[bool]]:
    """For each fact whether a slot says it; for each word of a slot whether it is of a true place."""
    held, current = [], []
    for story in stories:
        places = {s.subject: s.target for s in story.statements}  # a later one replaces the earlier
        tokens = [shown_words(lm.tokenizer, answer_tokens(lm.tokenizer, place)) for place in places.values()]
        trace = read_story(lm, story.sentences)
        said = [row.word for row in slot_lens(lm, trace, story.questions[-1].text).rows if row.says]
        held += [words[0] in said for words in tokens]
        current += [word in {each for words in tokens for each in words} for word in said]
    return held, current


def allotted(lm: LoadedModel, n_people: int, seed: int) -> tuple[list[bool], list[bool]]:
    """Whether two sentences write to one slot: of the same person, and of different people."""
    words, rng = lexicon("test"), Random(f"allotted {seed}")
    slots = {}
    fresh = lm.model.new_memory(1)
    for person in rng.sample(words.people, n_people):
        for k, place in enumerate(rng.sample(words.places, N_TOLD)):
            sentence = Sentence(Statement(person, "move", place, ""), rng.choice(words.phrasings)).text
            change = (memory_after(lm, [sentence]) - fresh)[0].square().mean(-1)
            slots[person, k] = int(change.argmax())
    pairs = list(combinations(slots, 2))
    is_same = {
        kind: [slots[a] == slots[b] for a, b in pairs if (a[0] == b[0]) is kind] for kind in (True, False)
    }
    return is_same[True], is_same[False]


def answered_for_nobody(lm: LoadedModel, stories: Sequence[Story], seed: int) -> list[bool]:
    """For each story, whether a question about an unnamed person gets one of the story's places."""
    people, rng = lexicon("test").people, Random(f"nobody {seed}")
    given = []
    for story in stories:
        named = {s.subject for s in story.statements}
        person = rng.choice([person for person in people if person not in named])
        (word, _), *_ = ranked_words(lm, f"Where is {person}?", memory_after(lm, story.sentences))
        given.append(word in {s.target for s in story.statements})
    return given


def main(
    model: Annotated[str, typer.Argument(help="A memory that opens with its Llama.")],
    stories: int = 40,
    people: int = 40,
    seed: int = 0,
) -> None:
    """Print each share with its 95 % interval, for the memory and for an untrained one."""
    lm = load(model)
    told = generated_stories("one-fact", stories, seed)
    for name, each in (("memory", lm), ("untrained memory", untrained(lm, seed))):
        held, current = held_and_current(each, told)
        same, different = allotted(each, people, seed)
        for what, found in (
            ("facts that a slot says", held),
            ("words of slots that are true", current),
            ("same person, same slot", same),
            ("different people, same slot", different),
            ("unnamed, given a place of it", answered_for_nobody(each, told, seed)),
        ):
            typer.echo(f"{name:17} {what:29} {_share(found)}")


def _share(found: Sequence[bool]) -> str:
    if not found:
        return "   -  (none)"
    low, high = wilson_interval(sum(found), len(found))
    return f"{sum(found) / len(found):6.1%} ({low:.1%} to {high:.1%}, n = {len(found)})"


if __name__ == "__main__":
    typer.run(main)
