"""Stories in open English: a memory beside a Llama, and the same Llama on the same questions.

Rows: the memory, which has read the story sentence by sentence; the same weights asked of a fresh memory
(chance of the language model); and the Llama alone with the whole story before the question.

    python benchmarks/english.py smollm2-135m-stories --sentences 10 --questions 150
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Annotated

import typer

from lm2core.babi.text import TextStory
from lm2core.english.lexicon import lexicon
from lm2core.english.stories import single_questions
from lm2core.evaluation.stories import predict, score
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.reading.checkpoints import load
from lm2core.reading.given_words import greedy_answers, story_question
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.memory_weights import PART
from lm2core.text.tokenizer import encode_segments

AT_ONCE = 8  # whole texts
Answers = list[list[str]]


def without_memory(lm: LoadedModel) -> LoadedModel:
    """The Llama alone."""
    no_memory = {"memory_layers": [], "memory_width": None, "memory_taps": None}
    config = LM2Config.from_dict(lm.model.config.to_dict() | no_memory | {"memory_path_block": False})
    llama = LM2ForCausalLM(config)
    llama.load_state_dict({name: x for name, x in lm.model.state_dict().items() if PART not in name})
    return LoadedModel(lm.name, llama.eval(), lm.tokenizer)


def of_fresh_memory(lm: LoadedModel, stories: Sequence[TextStory]) -> Answers:
    """What is said where no story was read."""
    unread = [TextStory((), (replace(story.questions[0], n_statements=0),)) for story in stories]
    return predict(lm, unread)


def of_whole_text(llama: LoadedModel, stories: Sequence[TextStory]) -> Answers:
    """What the Llama says after the whole story and the question."""
    texts = [
        " ".join([*story.sentences, story_question(llama, story.questions[0].text)]) for story in stories
    ]
    answers: Answers = []
    for start in range(0, len(texts), AT_ONCE):
        ids, mask = encode_segments(llama.tokenizer, [[text] for text in texts[start : start + AT_ONCE]])
        answers += [[word] for word, _ in greedy_answers(llama, ids[:, 0], mask[:, 0], None)]
    return answers


def main(
    model: Annotated[str, typer.Argument(help="A memory that opens with its Llama.")],
    kinds: str = "one-fact",
    sentences: str = "10",
    questions: int = 100,
    seed: int = 0,
) -> None:
    """Print a row for each kind, length and reader, each with its 95 % interval, as it comes."""
    lm = load(model)
    llama = without_memory(lm)
    for kind in kinds.split(","):
        for length in map(int, sentences.split(",")):
            drawn = single_questions(kind, seed, lexicon("test"), n_sentences=length, prompted=True)
            stories = list(islice(drawn, questions))
            for name, answers in (
                ("memory", predict(lm, stories)),
                ("fresh memory", of_fresh_memory(lm, stories)),
                ("Llama, whole text", of_whole_text(llama, stories)),
            ):
                got = score(stories, answers)
                interval = f"{got.low:.1%} to {got.high:.1%}, n = {got.n}"
                typer.echo(f"{kind} {length:>3} {name:18} {got.accuracy:6.1%} ({interval})")


if __name__ == "__main__":
    typer.run(main)
