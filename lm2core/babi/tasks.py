"""The twenty bAbI tasks, and how their stories are generated.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. tests/lm2core/babi compares them with
the published files: every question is answered, every statistic matched.
"""

from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType

from lm2core.babi import animals, certainty, directions, motives, people, sizes, times, together
from lm2core.babi.story import Line, Question, Statement, Story, Task
from lm2core.babi.world import HOME, TOWN
from lm2core.errors import UserError

__all__ = [
    "TASKS",
    "Question",
    "Story",
    "Task",
    "draw_question",
    "draw_story",
    "get_task",
    "make_stories",
    "make_story",
]

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "qa1": Task(draw=people.story_maker(people.ACTING["qa1"]), ask=people.ask_person_place),
        "qa2": Task(draw=people.story_maker(people.ACTING["qa2"]), ask=people.ask_object_place),
        "qa3": Task(draw=people.story_maker(people.ACTING["qa3"]), ask=people.ask_object_place_before),
        "qa4": Task(draw=directions.draw_row, ask=directions.ask_neighbour, ages=None, n_questions=1, gap=""),
        "qa5": Task(draw=people.story_maker(people.ACTING["qa5"]), ask=people.ask_gift),
        "qa6": Task(draw=people.story_maker(people.ACTING["qa6"]), ask=people.whether_place_asker(HOME)),
        "qa7": Task(draw=people.story_maker(people.ACTING["qa7"]), ask=people.ask_count),
        "qa8": Task(draw=people.story_maker(people.ACTING["qa8"]), ask=people.ask_list),
        "qa9": Task(draw=certainty.story_maker(HOME, certainty.NOT_IN), ask=certainty.question_maker(HOME)),
        "qa10": Task(draw=certainty.story_maker(TOWN, certainty.EITHER), ask=certainty.question_maker(TOWN)),
        "qa11": Task(
            draw=together.story_maker(n_people=1, has_pronoun=True),
            ask=together.question_maker(n_lines=2),
        ),
        "qa12": Task(
            draw=together.story_maker(n_people=2, has_pronoun=False),
            ask=together.question_maker(n_lines=1),
            ages=together.AGES_OF_PAIRS,
        ),
        "qa13": Task(
            draw=together.story_maker(n_people=2, has_pronoun=True),
            ask=together.question_maker(n_lines=2),
            ages=together.AGES_OF_PAIRS,
        ),
        "qa14": Task(draw=times.draw_lines, ask=times.ask_before, ages=times.AGES),
        "qa15": Task(
            draw=animals.draw_fears,
            ask=animals.ask_fear,
            ages=None,
            questions_per_block=4,
            n_questions=4,
            gap="",
        ),
        "qa16": Task(draw=animals.draw_colours, ask=animals.ask_colour, ages=None, n_questions=1, gap=""),
        "qa17": Task(
            draw=directions.draw_shapes,
            ask=directions.ask_side,
            ages=range(1),
            questions_per_block=8,
            n_questions=8,
            gap="",
        ),
        "qa18": Task(draw=sizes.draw_lines, ask=sizes.ask_size, ages=range(1), questions_per_block=5, gap=""),
        "qa19": Task(
            draw=directions.draw_tree, ask=directions.ask_path, ages=range(1), n_questions=1, gap=""
        ),
        "qa20": Task(draw=motives.draw_lines, ask=motives.ask_motive, ages=range(1), n_questions=12, gap=""),
    }
)


def get_task(name: str) -> Task:
    """The task called ``name``; a UserError lists the known names if there is none."""
    if name not in TASKS:
        raise UserError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]


def draw_question(
    task: Task, history: Sequence[Statement], rng: Random, *, ages: Sequence[int] | None = None
) -> Question | None:
    """Draw uniformly one of the statements that allow a question and ask about it; None if none allows one.

    ages : which statements may be asked about, in place of ``task.ages``
    """
    n_statements = len(history)
    chosen = ages or task.ages or range(n_statements)
    candidates = [n_statements - 1 - age for age in reversed(chosen) if age < n_statements]
    story_questions = [q for i in candidates if (q := task.ask(history, i, rng)) is not None]
    return rng.choice(story_questions) if story_questions else None


def make_stories(name: str, n: int, seed: int) -> list[Story]:
    """``n`` stories; story i is drawn with the seed ``seed`` + i, so that more stories begin with fewer.

    Seeds nearer to each other than ``n`` share stories.

    Raises
    ------
    UserError
        For an unknown task or a seed below 0, which Python's generator takes for the one above 0.
    """
    if seed < 0:
        raise UserError(f"seed {seed}; give 0 or more: story i is drawn with seed + i")
    return [make_story(name, Random(seed + i)) for i in range(n)]


def make_story(name: str, rng: Random) -> Story:
    """A story like those of the published files: blocks of sentences, each followed by possible questions."""
    return draw_story(name, get_task(name), rng)


def draw_story(name: str, task: Task, rng: Random) -> Story:
    """A story of a ``task``, which need not be one of bAbI's; see ``make_story``."""
    lines: list[Line] = []
    history: list[Statement] = []
    questions: list[Question] = []
    for block in task.draw(rng):
        lines += block
        history += [line.statement for line in block]
        story_questions = [draw_question(task, history, rng) for _ in range(task.questions_per_block)]
        questions += [question for question in story_questions if question is not None]
        if len(questions) >= task.n_questions:
            break
    return Story(
        task=name,
        sentences=tuple(line.sentence for line in lines),
        statements=tuple(history),
        states=tuple(line.facts for line in lines),
        questions=tuple(questions),
        gap=task.gap,
    )
