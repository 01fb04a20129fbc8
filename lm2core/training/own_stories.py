"""A user's own stories: files in the bAbI format, and the share of them that is held out, story by story."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lm2core.babi.text import TextStory, read_babi, write_babi
from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.text.tokenizer import split_words
from lm2core.training.story_labels import held_out_labels

HELD_OUT_SHARE = 0.1  # of the different stories
LEAST_STORIES = 10  # different ones, so that one can be held out
HELD_OUT_FOLDER = "held_out"  # of a run: its held-out stories, and their labels
DIGEST_FILE = "stories.json"  # of a run


@dataclass(frozen=True, slots=True)
class OwnStories:
    """Stories by task, which is the name of their file without its suffix; each has a question.

    trained, held_out : equal stories are all in one of them
    labels : tables of facts of the held-out stories, as the text of a CSV file, by task
    digest : of the files' content
    """

    source: str
    trained: Mapping[str, Sequence[TextStory]]
    held_out: Mapping[str, Sequence[TextStory]]
    labels: Mapping[str, str]
    digest: str

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have stories to train on."""
        return tuple(self.trained)

    def words(self) -> set[str]:
        """All words of all stories, in lower case, and all answers, each as a whole."""
        stories = [story for share in (self.trained, self.held_out) for s in share.values() for story in s]
        asked = [question for story in stories for question in story.questions]
        texts = [sentence for story in stories for sentence in story.sentences]
        return split_words([*texts, *(q.text for q in asked)]) | {q.answer.lower() for q in asked}

    def untrained_answers(self) -> tuple[int, int]:
        """How many held-out questions have an answer that no trained one has, and how many there are."""
        known = set(_answers(self.trained))
        asked = _answers(self.held_out)
        return sum(answer not in known for answer in asked), len(asked)

    def check_same(self, out: Path) -> None:
        """Refuse to resume the run in ``out`` if these are not the stories it began with: a UserError."""
        try:
            began_with = json.loads((out / DIGEST_FILE).read_text(encoding="utf-8"))["digest"]
        except (OSError, ValueError, KeyError, TypeError):
            began_with = "unreadable"
        if began_with != self.digest:
            raise UserError(
                f"the stories in {self.source} are not those that the run in {out} began with; "
                "resume it with the original files, or start in another folder"
            )

    def save(self, out: Path) -> None:
        """Write the held-out stories and their labels to the run's folder, for scores and analyses."""
        folder = out / HELD_OUT_FOLDER
        folder.mkdir(exist_ok=True)
        for task, stories in self.held_out.items():
            write_babi(folder / f"{task}.txt", stories)
        for task, table in self.labels.items():
            write_atomically(folder / f"{task}.csv", table)
        content = {"source": self.source, "digest": self.digest}
        write_atomically(out / DIGEST_FILE, json.dumps(content, indent=2))


def open_own_stories(source: str) -> OwnStories:
    """Read the stories of a file, or of each .txt file of a folder, and hold a tenth of them out.

    Held out is the tenth of the different stories with the smallest SHA-256 of their text: the same for every
    seed, whatever the order of the files. Stories without a question are left out. A table of labels with a
    file's name and the suffix .csv gives the facts of its stories; its format is that of ``--labels``.

    Raises
    ------
    UserError
        When there is no such file, or none in the folder; as ``read_babi`` and ``held_out_labels``; and for
        fewer than ``LEAST_STORIES`` different stories.
    """
    files = _files(Path(source))
    stories_of = {file.stem: read_babi(file) for file in files}
    ranks = sorted({_rank(story) for stories in stories_of.values() for story in stories if story.questions})
    if len(ranks) < LEAST_STORIES:
        raise UserError(
            f"{source} has {len(ranks)} different stories with questions; give at least {LEAST_STORIES}, "
            "because a tenth of them is held out to test on"
        )
    kept_out = set(ranks[: round(len(ranks) * HELD_OUT_SHARE)])
    trained: dict[str, list[TextStory]] = {}
    held_out: dict[str, list[TextStory]] = {}
    labels: dict[str, str] = {}
    for file in files:
        stories = stories_of[file.stem]
        numbers = []  # of the held-out stories in the file
        for i, story in enumerate(stories):
            if story.questions and _rank(story) in kept_out:
                held_out.setdefault(file.stem, []).append(story)
                numbers.append(i)
            elif story.questions:
                trained.setdefault(file.stem, []).append(story)
        table = file.with_suffix(".csv")
        if table.is_file() and numbers:
            labels[file.stem] = held_out_labels(table, len(stories), numbers)
    return OwnStories(source, trained, held_out, labels, _digest(files))


def _files(path: Path) -> list[Path]:
    try:
        files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
        is_there = bool(files) and all(file.is_file() for file in files)
    except OSError as error:
        raise UserError(
            f"cannot look for stories at {path}: {error.strerror}; give a file or folder"
        ) from None
    if not is_there:
        has = "has no .txt file" if path.is_dir() else "is not there"
        raise UserError(f"{path} {has}; give a file in the bAbI format, or a folder with such files (.txt)")
    return files


def _rank(story: TextStory) -> str:
    """A digest of all that is said and asked, by which stories are held out."""
    lines = [*story.sentences, *(f"{q.n_statements} {q.text} {q.answer}" for q in story.questions)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _answers(stories_of: Mapping[str, Sequence[TextStory]]) -> list[str]:
    return [q.answer.lower() for stories in stories_of.values() for story in stories for q in story.questions]
