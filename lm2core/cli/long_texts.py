"""``lm2 eval --tasks ... --lengths ...``: facts hidden in long texts, generated or published."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from lm2core.cli.tables import Rows, open_model, score_columns, show
from lm2core.errors import UserError

if TYPE_CHECKING:
    from lm2core.babilong.samples import BabiLongSample
    from lm2core.reading.loaded_model import LoadedModel

CHARS_PER_TOKEN = 10  # of background read for the longest sample: about twice that of English
GENERATED_ONLY = ("seed", "noise", "tokenizer")  # options that do not apply to a published data set


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTexts:
    """The options of the command for long texts, one per field."""

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
        """Refuse wrong options with a UserError, before loading a model."""
        from lm2core.babi.tasks import get_task
        from lm2core.babilong.samples import parse_length
        from lm2core.evaluation.long_texts import SEGMENTS

        for task, length in self.cells():
            get_task(task)
            parse_length(length)
        if self.segments not in SEGMENTS:
            raise UserError(f"--segments {self.segments!r} must be one of: {', '.join(SEGMENTS)}")

    def cells(self) -> list[tuple[str, str]]:
        """Every task at every length."""
        tasks, lengths = ([part.strip() for part in text.split(",")] for text in (self.tasks, self.lengths))
        return [(task, length) for task in tasks for length in lengths]


def on_long_texts(checkpoint: str, given: dict[str, Any]) -> Rows:
    """Evaluate ``checkpoint`` on long texts with the ``given`` options; a row for each task and length."""
    from tqdm.auto import tqdm

    from lm2core.evaluation.long_texts import predict_long, score_long

    refused = [f"--{name}" for name in GENERATED_ONLY if name in given]
    if "data" in given and refused:
        raise UserError(
            f"{', '.join(refused)} cannot be combined with --data, whose texts are fixed; omit one of them"
        )
    options = LongTexts(**given)
    options.check()
    published = _published(options) if options.data else None
    lm = open_model(checkpoint)
    sample_sets = _generated(lm, options) if published is None else published
    n_tokens = None if options.data else sum(s.n_tokens or 0 for samples in sample_sets for s in samples)
    segment_options: dict[str, Any] = {"segments": options.segments, "question_first": options.question_first}
    rows = []
    with tqdm(total=n_tokens, unit=" tokens", unit_scale=True, disable=None, dynamic_ncols=True) as bar:
        for samples in sample_sets:
            task, length = samples[0].task, samples[0].length
            bar.set_description(f"{task} {length}")
            score = score_long(samples, predict_long(lm, samples, on_read=bar.update, **segment_options))
            labels = {"label_set": score.label_set, "label_words": score.label_words}
            cell = {"task": task, "length": length} | score_columns(lm, score.exact) | labels
            rows.append(cell | segment_options | _origin(options, checkpoint, samples))
    show(rows)
    excluded = [f"{row['task']} {row['length']}: {n}" for row in rows if (n := row.get("n_left_out"))]
    if excluded:
        typer.echo(f"stories skipped because they did not fit: {', '.join(excluded)}")
    return rows


def _generated(lm: "LoadedModel", options: LongTexts) -> list[list["BabiLongSample"]]:
    """Samples of generated stories; prints the tokenizer that counts lengths, and the noise."""
    from lm2core.babilong.background_text import MOST_CHARS, open_noise
    from lm2core.babilong.excerpts import Background
    from lm2core.babilong.samples import generated_stories, make_samples, parse_length
    from lm2core.text.bpe import open_tokenizer

    advice = "give a folder or a Hugging Face id, or omit it to count with the model's own"
    tokenizer = open_tokenizer(options.tokenizer, advice=advice) if options.tokenizer else lm.tokenizer
    longest = max(parse_length(length) for _, length in options.cells())
    enough = max(MOST_CHARS, CHARS_PER_TOKEN * longest)
    noise = open_noise(options.noise, split="test", most_chars=enough) if longest else None
    background = Background(noise, tokenizer)
    typer.echo(f"lengths in tokens of the tokenizer of {options.tokenizer or lm.name}")
    if noise is not None:
        n_sentences, n_tokens = background.n_sentences, background.n_tokens
        typer.echo(f"noise: test share of {noise.source}, {n_sentences:,} sentences, {n_tokens:,} tokens")
    return [
        make_samples(
            generated_stories(task, options.seed),
            background,
            task=task,
            length=length,
            n=options.samples,
            seed=options.seed,
        )
        for task, length in options.cells()
    ]


def _published(options: LongTexts) -> Iterator[list["BabiLongSample"]]:
    """Samples of a published data set: all cells are checked first, then read one by one."""
    from lm2core.babilong.published import check_published, read_published

    source = str(options.data)
    for task, length in options.cells():
        check_published(source, task=task, length=length)
    return (
        read_published(source, task=task, length=length, n=options.samples)
        for task, length in options.cells()
    )


def _origin(options: LongTexts, checkpoint: str, samples: list["BabiLongSample"]) -> dict[str, Any]:
    """The columns of a row that describe the origin of its texts."""
    if options.data:
        return {"data": options.data}
    return {
        "seed": options.seed,
        "noise": options.noise,
        "tokenizer": options.tokenizer or checkpoint,
        "n_left_out": samples[-1].index + 1 - len(samples),
    }
