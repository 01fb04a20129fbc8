"""Training batches of a user's own stories, and the stages in which they grow."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from transformers import PreTrainedTokenizerBase

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory
from lm2core.training.batches import MOST_SENTENCES, Stage
from lm2core.training.story_batch import EncodedStory, Encoder, StoryBatch, make_batch

StoriesByTask = Mapping[str, Sequence[TextStory]]
GROWTH = (3, 6, 10, 16, 40, 96)  # sentences up to a question, at most; as generated stories grow
WITH_GRADIENT = 16  # sentences, if there are questions about so few
MOST_WITH_GRADIENT = 64
LEAST_SHARE = 20  # a stage needs one in so many of all questions


def own_stages(stories_of: StoriesByTask) -> tuple[Stage, ...]:
    """Stages that ask about the first sentences of stories, then about more, at last about all.

    The gradient runs through the last ``WITH_GRADIENT`` sentences before a question; through more if stories
    have hardly any question as early as that.
    """
    ends_of = {
        task: [q.n_statements for story in stories for q in story.questions]
        for task, stories in stories_of.items()
    }
    ends = sorted(end for ends in ends_of.values() for end in ends)
    shortest, longest = max(1, ends[len(ends) // LEAST_SHARE]), max(1, ends[-1])
    window = min(MOST_WITH_GRADIENT, max(WITH_GRADIENT, shortest))
    sizes = [n for n in GROWTH if shortest <= n < longest] + [longest]
    return tuple(
        Stage(
            tuple(task for task, its_ends in ends_of.items() if min(its_ends) <= n),
            min(n, window),
            n_before=max(0, n - window),
        )
        for n in sizes
    )


class OwnStorySource:
    """Draws batches of stored stories; batch ``index`` of seed ``seed`` is always the same.

    n_stories, questions_per_sentence : as of lm2core.training.batches.StorySource
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        stories_of: StoriesByTask,
        *,
        n_stories: int,
        questions_per_sentence: float,
        seed: int,
    ) -> None:
        self._encoder = Encoder(tokenizer)
        self._n_stories, self._density, self._seed = n_stories, questions_per_sentence, seed
        # By where a question is asked, so that a stage's questions are the first ones.
        self._asked_of = {
            task: sorted(
                ((question, story) for story in stories for question in story.questions),
                key=lambda pair: pair[0].n_statements,
            )
            for task, stories in stories_of.items()
        }

    def batch(self, index: int, stage: Stage, weights: Mapping[str, float]) -> StoryBatch:
        """Batch number ``index`` for ``stage``: stories that each end at a question drawn at random.

        The tasks are drawn by their ``weights``, and of a task every question of the stage is equally likely.
        """
        rng = Random(f"{self._seed}/{index}")
        most = stage.n_before + stage.n_sentences
        n_stories = min(self._n_stories, max(1, MOST_SENTENCES // most))
        tasks = rng.choices(stage.tasks, [weights[task] for task in stage.tasks], k=n_stories)
        drawn = [(task, *self._draw(task, most, rng)) for task in tasks]
        n_all = max(1, *(question.n_statements for _, question, _ in drawn))
        n_before = max(0, n_all - stage.n_sentences)
        n_questions = max(1, round(stage.n_sentences * self._density))
        encoded = []
        for task, last, story in drawn:
            segments, asked = self._cut(task, story, last.n_statements, n_all)
            recent = [(i - n_before, name, q) for i, name, q in asked if i >= n_before]
            encoded.append((segments, rng.sample(recent, min(n_questions, len(recent)))))
        return make_batch(encoded, n_before, self._encoder)

    def whole(self, stories_of: StoriesByTask) -> Iterator[StoryBatch]:
        """Batches of these stories with all their questions, each once; the longest stories first."""
        told = [(task, story) for task, stories in stories_of.items() for story in stories]
        told.sort(key=lambda pair: len(pair[1].sentences))
        while told:
            n_all = 1 + len(told[-1][1].sentences)  # one empty segment for questions before any sentence
            n = min(len(told), self._n_stories, max(1, MOST_SENTENCES // n_all))
            part, told = told[-n:], told[:-n]
            encoded = [self._cut(task, story, len(story.sentences), n_all) for task, story in part]
            yield make_batch(encoded, 0, self._encoder)

    def _draw(self, task: str, most: int, rng: Random) -> tuple[Question, TextStory]:
        """A question asked after at most so many sentences, and its story."""
        asked = self._asked_of[task]
        n_possible = bisect_right(asked, most, key=lambda pair: pair[0].n_statements)
        return asked[rng.randrange(n_possible)]

    def _cut(self, task: str, story: TextStory, n_sentences: int, n_all: int) -> EncodedStory:
        """A story's first sentences, with empty segments before them, and the questions asked by then."""
        n_empty = n_all - n_sentences
        segments = [[] for _ in range(n_empty)] + [
            self._encoder.text(sentence) for sentence in story.sentences[:n_sentences]
        ]
        places = ((n_empty + question.n_statements - 1, task, question) for question in story.questions)
        return segments, [place for place in places if 0 <= place[0] < n_all]
