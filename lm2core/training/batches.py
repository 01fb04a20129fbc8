"""Training batches of freshly generated bAbI stories, most with questions at many points."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from types import MappingProxyType

from transformers import PreTrainedTokenizerBase

from lm2core.babi.directions import ask_any_side, ask_path, ask_verbatim, draw_path, draw_shapes, draw_star
from lm2core.babi.story import Line, Statement, Task
from lm2core.babi.tasks import draw_question, get_task
from lm2core.babilong.background_text import Noise
from lm2core.errors import UserError
from lm2core.training.story_batch import EncodedStory, Encoder, PlacedQuestion, StoryBatch, make_batch

MOST_DRAWS = 100  # of the stories of a batch, while none of them allows a question
MOST_SENTENCES = 4_000  # in a batch: the longer its stories, the fewer it has
LATER = 2  # a question may come so many times as late as the task has it
_HANDLING = ("qa1", "qa2", "qa3", "qa6", "qa7", "qa8")
# The tasks whose questions a story allows, where it is not the story's alone: the same people act there.
QUESTION_TASKS_OF = MappingProxyType(
    {
        **dict.fromkeys(("qa1", "qa2", "qa3", "qa6", "qa8"), _HANDLING),
        "qa7": ("qa1", "qa6", "qa7"),
    }
)
# Practice before tasks whose own stories reward a shortcut (see directions.draw_star) or take two steps.
PRACTICE: Mapping[str, Task] = MappingProxyType(
    {
        "qa4": Task(draw=draw_star, ask=ask_verbatim, ages=None),
        "qa17": Task(draw=draw_shapes, ask=ask_any_side, ages=None),
        "qa19": Task(draw=draw_path, ask=ask_path, ages=range(1)),
    }
)
QUESTIONS_AT_END = ("qa4",)  # half a row has one neighbour, whatever the direction


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a curriculum.

    tasks : the tasks that give stories and questions
    n_sentences : sentences of a story through which the gradient runs
    n_before : at most this many sentences come before them, read without gradient
    noise : at most this share of all these sentences is background text
    least_noise : at least this share is
    practice : tasks are replaced by their practice task, if they have one (PRACTICE)
    """

    tasks: tuple[str, ...]
    n_sentences: int
    n_before: int = 0
    noise: float = 0.0
    least_noise: float = 0.0
    practice: bool = False

    def __post_init__(self) -> None:
        """Refuse an impossible stage: practice on stories that are cut short, or a share out of range."""
        if self.practice and (self.noise or self.n_sentences < 4):
            raise ValueError(
                f"a practice stage with noise {self.noise} and {self.n_sentences} sentences; "
                "give it no noise and at least 4 sentences"
            )
        if not 0 <= self.least_noise <= self.noise < 1:
            raise ValueError(f"noise from {self.least_noise} to {self.noise}; give 0 <= least <= most < 1")

    def task(self, name: str) -> Task:
        """The task called ``name``, or its practice task."""
        return PRACTICE[name] if self.practice and name in PRACTICE else get_task(name)


class StorySource:
    """Draws batches; batch ``index`` of seed ``seed`` is always the same.

    Parameters
    ----------
    n_stories : int
        B, stories in a batch; fewer if they have more than ``MOST_SENTENCES`` sentences together.
    questions_per_sentence : float
        Questions about a story per sentence of it, if it allows any.
    noise : Noise, optional
        Background text for stages with noise.
    segment_length : int
        Tokens after which a background sentence is cut.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        n_stories: int,
        questions_per_sentence: float,
        seed: int,
        noise: Noise | None = None,
        segment_length: int = 0,
    ) -> None:
        self._encoder = Encoder(tokenizer)
        self._n_stories, self._density, self._seed = n_stories, questions_per_sentence, seed
        self._noise, self._segment_length = noise, segment_length

    def batch(self, index: int, stage: Stage, weights: Mapping[str, float]) -> StoryBatch:
        """Batch number ``index`` for ``stage``; stories and questions are drawn by the tasks' ``weights``."""
        rng = Random(f"{self._seed}/{index}")
        n_before = rng.randint(0, stage.n_before)
        n_stories = min(self._n_stories, max(1, MOST_SENTENCES // (n_before + stage.n_sentences)))
        drawn = self._stories(n_stories, stage, n_before, weights, rng)
        return make_batch(drawn, n_before, self._encoder)

    def _stories(
        self, n_stories: int, stage: Stage, n_before: int, weights: Mapping[str, float], rng: Random
    ) -> list[EncodedStory]:
        """Stories with their questions, redrawn until one allows any: few short stories of task 3 do."""
        for _ in range(MOST_DRAWS):
            drawn = [self._story(stage, n_before, weights, rng) for _ in range(n_stories)]
            if any(questions for _, questions in drawn):
                return drawn
        stories = f"{stage.n_sentences} sentences of {', '.join(stage.tasks)}"
        raise UserError(f"no question is possible about {stories}; use longer stories or other tasks")

    def _story(self, stage: Stage, n_before: int, weights: Mapping[str, float], rng: Random) -> EncodedStory:
        """Ids of one story, and questions asked after segments from ``n_before`` on, counted from there."""
        story_task = rng.choices(stage.tasks, [weights[name] for name in stage.tasks])[0]
        segments, line_at = self._story_segments(story_task, stage, n_before, rng)
        # A short story has as many questions as a long one.
        n_questions = max(1, round(stage.n_sentences * self._density))
        after = range(n_before, len(segments))
        if story_task in QUESTIONS_AT_END:
            story_questions = _questions_at_end(stage, story_task, line_at, after, n_questions, rng)
        else:
            story_questions = _questions_midway(stage, story_task, line_at, after, n_questions, weights, rng)
        return segments, [(i - n_before, name, question) for i, name, question in story_questions]

    def _story_segments(
        self, task: str, stage: Stage, n_before: int, rng: Random
    ) -> tuple[list[list[int]], dict[int, Line]]:
        """Ids of a story's segments, and its lines by segment.

        Lines keep their order among background text. Without noise, a story that is too short gets empty
        segments first.
        """
        n_all = n_before + stage.n_sentences
        n_lines = n_all - int(n_all * rng.uniform(stage.least_noise, stage.noise))
        lines = list(islice(chain.from_iterable(stage.task(task).draw(rng)), n_lines))
        segments: list[list[int]] = [[] for _ in range(n_all)]
        places = list(range(n_all - len(lines), n_all))
        if stage.noise:
            segments = self._background(n_all, rng)
            places = sorted(rng.sample(range(n_all), len(lines)))
        for i, line in zip(places, lines, strict=True):
            segments[i] = self._encoder.text(line.sentence)
        return segments, dict(zip(places, lines, strict=True))

    def _background(self, n_segments: int, rng: Random) -> list[list[int]]:
        """Ids of ``n_segments`` consecutive segments of background text."""
        assert self._noise is not None
        sentences = map(self._encoder.text, self._noise.from_anywhere(rng))
        pieces = (
            s[i : i + self._segment_length] for s in sentences for i in range(0, len(s), self._segment_length)
        )
        return list(islice(pieces, n_segments))


def _questions_at_end(
    stage: Stage, story_task: str, line_at: Mapping[int, Line], after: range, n_questions: int, rng: Random
) -> list[PlacedQuestion]:
    """Questions about each statement in turn, after any segment from the last line on.

    In turn, so that all statements are asked about equally often: any bias that does not distinguish them
    cancels out within a story.
    """
    history = [line.statement for line in line_at.values()]
    places = range(max(after.start, *line_at), after.stop)
    drawn = [stage.task(story_task).ask(history, i % len(history), rng) for i in range(n_questions)]
    return [(rng.choice(places), story_task, question) for question in drawn if question is not None]


def _questions_midway(
    stage: Stage,
    story_task: str,
    line_at: Mapping[int, Line],
    after: range,
    n_questions: int,
    weights: Mapping[str, float],
    rng: Random,
) -> list[PlacedQuestion]:
    """Questions after random segments, about tasks that the story allows, drawn by ``weights``."""
    allowed = [name for name in stage.tasks if name in QUESTION_TASKS_OF.get(story_task, (story_task,))]
    history: list[Statement] = []
    possible: dict[str, list[PlacedQuestion]] = {}
    for i in range(after.stop):
        if i in line_at:
            history.append(line_at[i].statement)
        for name in allowed if i in after and history else ():
            task = stage.task(name)
            ages = task.ages and range(LATER * len(task.ages))
            question = draw_question(task, history, rng, ages=ages)
            if question is not None:
                possible.setdefault(name, []).append((i, name, question))
    if not possible:
        return []
    names = rng.choices(list(possible), [weights[name] for name in possible], k=n_questions)
    return [rng.choice(possible[name]) for name in names]
