"""``lm2 eval --tasks ... --lengths ...``: facts hidden in long texts, generated or published."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from lm2core.cli.tables import Rows, figures, open_reader, show
from lm2core.errors import UserError

if TYPE_CHECKING:
    from lm2core.babilong.samples import BabiLongSample
    from lm2core.reading.loaded_model import Reader

CHARS_PER_TOKEN = 10  # of background that is read for the longest sample: about twice what English takes
ONLY_MADE = ("seed", "noise", "tokenizer")  # options that a published data set leaves nothing to say to


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTexts:
    """What is asked for; each field is an option of the command."""

    tasks: str
    lengths: str
    samples: int = 100
    seed: int = 0
    noise: str = "python"
    data: str | None = None
    tokenizer: str | None = None
    segments: str = "sentences"
    question_first: bool = False

    def check(self) -> None:
        """Refuse what cannot be read, before a model is opened: a UserError."""
        from lm2core.babi.tasks import get_task
        from lm2core.babilong.samples import parse_length
        from lm2core.evaluation.long_texts import SEGMENTS

        for task, length in self.cells():
            get_task(task)
            parse_length(length)
        if self.segments not in SEGMENTS:
            raise UserError(f"--segments {self.segments!r} is none of: {', '.join(SEGMENTS)}")

    def cells(self) -> list[tuple[str, str]]:
        """Every task at every length."""
        tasks, lengths = ([part.strip() for part in text.split(",")] for text in (self.tasks, self.lengths))
        return [(task, length) for task in tasks for length in lengths]


def on_long_texts(checkpoint: str, given: dict[str, Any]) -> Rows:
    """Ask ``checkpoint`` about long texts, as the ``given`` options say; a row for each task and length."""
    from tqdm.auto import tqdm

    from lm2core.evaluation.long_texts import predict_long, score_long

    refused = [f"--{name}" for name in ONLY_MADE if name in given]
    if "data" in given and refused:
        raise UserError(
            f"--data has its texts already, which {', '.join(refused)} cannot change; leave one out"
        )
    wanted = LongTexts(**given)
    wanted.check()
    published = _published(wanted) if wanted.data else None
    reader = open_reader(checkpoint)
    told = _made(reader, wanted) if published is None else published
    n_tokens = None if wanted.data else sum(s.n_tokens or 0 for samples in told for s in samples)
    asked: dict[str, Any] = {"segments": wanted.segments, "question_first": wanted.question_first}
    rows = []
    with tqdm(total=n_tokens, unit=" tokens", unit_scale=True, disable=None, dynamic_ncols=True) as bar:
        for samples in told:
            task, length = samples[0].task, samples[0].length
            bar.set_description(f"{task} {length}")
            score = score_long(samples, predict_long(reader, samples, on_read=bar.update, **asked))
            labels = {"label_set": score.label_set, "label_words": score.label_words}
            cell = {"task": task, "length": length} | figures(reader, score.exact) | labels
            rows.append(cell | asked | _origin(wanted, checkpoint, samples))
    show(rows)
    left_out = [f"{row['task']} {row['length']}: {n}" for row in rows if (n := row.get("n_left_out"))]
    if left_out:
        typer.echo(f"stories left out because they did not fit: {', '.join(left_out)}")
    return rows


def _made(reader: "Reader", wanted: LongTexts) -> list[list["BabiLongSample"]]:
    """Samples of generated stories; says with what lengths are counted, and what the noise is."""
    from lm2core.babilong.background import Background
    from lm2core.babilong.noise import MOST_CHARS, open_noise
    from lm2core.babilong.samples import make_samples, parse_length, told_stories
    from lm2core.text.bpe import open_tokenizer

    advice = "give a folder or a Hugging Face id, or leave it out and the model's own counts"
    tokenizer = open_tokenizer(wanted.tokenizer, advice=advice) if wanted.tokenizer else reader.tokenizer
    longest = max(parse_length(length) for _, length in wanted.cells())
    enough = max(MOST_CHARS, CHARS_PER_TOKEN * longest)
    noise = open_noise(wanted.noise, split="test", most_chars=enough) if longest else None
    background = Background(noise, tokenizer)
    typer.echo(f"lengths in tokens of the tokenizer of {wanted.tokenizer or reader.name}")
    if noise is not None:
        n_sentences, n_tokens = background.n_sentences, background.n_tokens
        typer.echo(f"noise: test share of {noise.source}, {n_sentences:,} sentences, {n_tokens:,} tokens")
    return [
        make_samples(
            told_stories(task, wanted.seed),
            background,
            task=task,
            length=length,
            n=wanted.samples,
            seed=wanted.seed,
        )
        for task, length in wanted.cells()
    ]


def _published(wanted: LongTexts) -> Iterator[list["BabiLongSample"]]:
    """Samples of a published data set, all of which is there; read cell by cell, as texts may be huge."""
    from lm2core.babilong.published import check_published, read_published

    source = str(wanted.data)
    for task, length in wanted.cells():
        check_published(source, task=task, length=length)
    return (
        read_published(source, task=task, length=length, n=wanted.samples) for task, length in wanted.cells()
    )


def _origin(wanted: LongTexts, checkpoint: str, samples: list["BabiLongSample"]) -> dict[str, Any]:
    """Where the texts are from."""
    if wanted.data:
        return {"data": wanted.data}
    return {
        "seed": wanted.seed,
        "noise": wanted.noise,
        "tokenizer": wanted.tokenizer or checkpoint,
        "n_left_out": samples[-1].index + 1 - len(samples),
    }
