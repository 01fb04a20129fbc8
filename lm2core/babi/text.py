"""Read and write the bAbI file format: ``N sentence`` or ``N question<TAB>answer<TAB>supporting lines``.

Source: bAbI tasks v1.2, Weston et al. 2015, arXiv:1502.05698. Lines of a story are numbered from 1; a line
whose number is not larger than the previous one starts a new story.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lm2core.babi.story import Question, Story
from lm2core.errors import UserError
from lm2core.files import write_atomically

MAX_DIGITS = 9  # of a line number


@dataclass(frozen=True, slots=True)
class TextStory:
    """A story without world facts, as read from a file; the support of its questions counts sentences from 0.

    gap : what the file has between a question mark and the tab after it
    """

    sentences: tuple[str, ...]
    questions: tuple[Question, ...]
    gap: str = " "


def read_babi(path: str | Path) -> list[TextStory]:
    """Read the stories of a bAbI file.

    Raises
    ------
    UserError
        With file and line, when a line has no number, a question has no answer, or its support is not an
        earlier sentence; also when the file has no question at all.
    """
    stories: list[TextStory] = []
    sentence_at: dict[int, int] = {}  # line number -> index of the sentence, of the story being read
    sentences: list[str] = []
    questions: list[Question] = []
    last_number, gap = 0, ""
    for line_number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {line_number}"
        head, _, rest = line.strip().partition(" ")
        if not head.isdecimal() or len(head) > MAX_DIGITS or not rest:
            raise UserError(f"{where}: expected 'NUMBER text', got {line.strip()[:60]!r}")
        number = int(head)
        if number <= last_number:
            stories.append(TextStory(tuple(sentences), tuple(questions), gap))
            sentence_at, sentences, questions = {}, [], []
        last_number = number
        if "\t" in rest:
            gap = "" if rest.partition("\t")[0].endswith("?") else " "
            questions.append(_question(rest, sentence_at, len(sentences), where))
        elif rest.rstrip().endswith("?"):
            raise UserError(f"{where}: a question needs TAB answer TAB support, got {rest[:60]!r}")
        else:
            sentence_at[number] = len(sentences)
            sentences.append(rest.strip())
    stories.append(TextStory(tuple(sentences), tuple(questions), gap))
    if not any(story.questions for story in stories):
        raise UserError(f"{path} has no questions; a bAbI file has lines 'N question<TAB>answer<TAB>M'")
    return stories


def read_sentences(path: str | Path) -> tuple[str, ...]:
    """Read the sentences of a plain text file, one per line; blank lines are skipped, "-" is standard input.

    Raises
    ------
    UserError
        When the file cannot be read or has no sentence.
    """
    sentences = tuple(line.strip() for line in _lines(path) if line.strip())
    if not sentences:
        raise UserError(f"{_source(path)}: the story is empty; write one sentence per line")
    return sentences


def write_babi(path: str | Path, stories: Iterable[Story | TextStory]) -> None:
    """Write stories as a bAbI file, atomically."""
    write_atomically(path, "".join(f"{line}\n" for story in stories for line in _story_lines(story)))


def _source(path: str | Path) -> str:
    return "standard input" if str(path) == "-" else str(path)


def _lines(path: str | Path) -> list[str]:
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read().decode("utf-8").splitlines()
        return Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{_source(path)}: not a text file ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a text file") from None


def _question(rest: str, sentence_at: dict[int, int], n_statements: int, where: str) -> Question:
    text, answer, *support = (part.strip() for part in rest.split("\t"))
    if not text or not answer:
        raise UserError(f"{where}: a question needs a text and an answer, got {rest[:60]!r}")
    numbers = support[0].split() if support else []
    unknown = [n for n in numbers if not n.isdecimal() or int(n) not in sentence_at]
    if unknown:
        raise UserError(f"{where}: supporting line {unknown[0]} is not an earlier sentence of the story")
    return Question(text, answer, tuple(sentence_at[int(n)] for n in numbers), n_statements)


def _story_lines(story: Story | TextStory) -> Iterable[str]:
    number = 0
    line_of: dict[int, int] = {}  # index of a sentence -> its line
    questions = sorted(story.questions, key=lambda q: q.n_statements)
    for i in range(len(story.sentences) + 1):
        while questions and questions[0].n_statements == i:
            question = questions.pop(0)
            number += 1
            support = " ".join(str(line_of[s]) for s in question.support)
            yield f"{number} {question.text}{story.gap}\t{question.answer}\t{support}"
        if i < len(story.sentences):
            number += 1
            line_of[i] = number
            yield f"{number} {story.sentences[i]}"
