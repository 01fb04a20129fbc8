"""Long texts: read in chunks they leave what they leave in one piece, and no more is kept than must be."""

import tracemalloc
from itertools import islice
from types import SimpleNamespace

import pytest
import torch

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory
from lm2core.babi.vocabulary import WORDS, babi_words
from lm2core.babilong.background_text import open_noise
from lm2core.babilong.excerpts import Background
from lm2core.babilong.samples import BabiLongSample, Piece, generated_stories, make_samples
from lm2core.baselines.architectures import ARCHITECTURES, make_model
from lm2core.evaluation import long_texts
from lm2core.evaluation.long_texts import predict_long, score_long
from lm2core.evaluation.stories import predict
from lm2core.model.config import LM2Config
from lm2core.reading import continuing
from lm2core.reading.continuing import answer_logits
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.bpe import train_tokenizer
from lm2core.text.sentence_tokens import begin_sentences
from lm2core.text.tokenizer import subword_tokenizer
from tests.conftest import SIZES

LENGTH = 7  # tokens of a segment


@pytest.fixture(scope="module")
def noise():
    return open_noise(split="test")


@pytest.fixture(scope="module")
def tokenizer(noise):
    return subword_tokenizer(babi_words(WORDS), noise.sentences, vocab_size=700)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def lm(request, tokenizer) -> LoadedModel:
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": len(tokenizer), "segment_length": LENGTH}
    return LoadedModel("untrained", make_model(LM2Config(**sizes), request.param).eval(), tokenizer)


def samples(noise, tokenizer, *, length="1k", n=3, task="qa1") -> list[BabiLongSample]:
    background = Background(noise, tokenizer)
    return make_samples(generated_stories(task, 5), background, task=task, length=length, n=n, seed=0)


class ReadMemory:
    """The memory of a text, or of some of several."""

    def __getitem__(self, rows):
        return self


READ = ReadMemory()


class Scripted:
    """A model that says ``script``, token by token, whatever it is asked, and remembers how it was called."""

    config = SimpleNamespace(segment_length=LENGTH)
    device = torch.device("cpu")

    def __init__(self, n_words: int, script: list[int]) -> None:
        self.n_words, self.script = n_words, script
        self.read: list[list[list[int]]] = []  # per call the segments of the first text
        self.questions: list[list[int]] = []

    def eval(self):
        return self

    def __call__(self, ids, mask=None, memory=None, *, write_memory=True, logits_to_keep=0):
        mask = torch.ones_like(ids) if mask is None else mask
        first = [[int(i) for i in row[:n]] for row, n in zip(ids[0], mask[0].sum(-1), strict=True)]
        if write_memory:
            assert logits_to_keep == 1
            self.read.append([row for row in first if row])
            return SimpleNamespace(memory=READ)
        assert memory is READ
        statement = self.script[len(self.questions)]
        self.questions.append(first[0])
        return SimpleNamespace(
            logits=torch.nn.functional.one_hot(torch.full_like(ids, statement), self.n_words)
        )


@pytest.fixture
def logits(monkeypatch):
    """The logits (n,V) of all questions that were asked while the given function ran."""

    def of(ask) -> torch.Tensor:
        rows = []

        def recorded(*arguments):
            rows.append(answer_logits(*arguments))
            return rows[-1]

        for module in (long_texts, continuing):
            monkeypatch.setattr(module, "answer_logits", recorded)
        ask()
        return torch.cat(rows)

    return of


def differ(logits: torch.Tensor) -> bool:
    """Whether there are rows that are more apart than rounding."""
    return bool((logits - logits[0]).abs().max() > 1e-3)


def test_facts_alone_are_asked_about_as_stories_are(lm, logits):
    expected = islice(generated_stories("qa2", 0), 20)
    short = [story for story in expected if all(len(s.split()) < LENGTH for s in story.sentences)]
    short.sort(key=lambda story: len(" ".join(story.sentences).split()))
    background = Background(None, lm.tokenizer)
    made = make_samples(short, background, task="qa2", length="0k", n=len(short), seed=0)
    made.sort(key=lambda sample: sample.n_tokens)
    stories = [TextStory(s.facts, (Question(s.question, s.answer, (), len(s.facts)),)) for s in made]
    assert len(made) > 5
    questions = logits(lambda: predict_long(lm, made))
    assert differ(questions)
    torch.testing.assert_close(questions, torch.cat([logits(lambda s=s: predict(lm, [s])) for s in stories]))
    assert [[word] for word in predict_long(lm, made)] == predict(lm, stories)


@pytest.mark.parametrize("segments", long_texts.SEGMENTS)
def test_in_chunks_and_beside_others_a_text_is_read_as_alone_and_whole(
    lm, noise, segments, logits, monkeypatch
):
    made = samples(noise, lm.tokenizer, length="0k", n=4) + samples(noise, lm.tokenizer, n=3)
    made.sort(key=lambda sample: sample.n_tokens)
    monkeypatch.setattr(long_texts, "CHUNK", 1_000)
    alone = torch.cat([logits(lambda s=s: predict_long(lm, [s], segments=segments)) for s in made])
    monkeypatch.setattr(long_texts, "CHUNK", 3)
    monkeypatch.setattr(long_texts, "BATCH", 6)
    torch.testing.assert_close(logits(lambda: predict_long(lm, made, segments=segments)), alone)
    assert differ(alone)


def test_cut_by_tokens_an_answer_is_what_follows_the_whole_text(lm, noise):
    made = samples(noise, lm.tokenizer)
    for sample, answer in zip(made, predict_long(lm, made, segments="tokens"), strict=True):
        text = " ".join([*(piece.text for piece in sample.pieces), sample.question])
        ids = torch.tensor([lm.tokenizer(text, add_special_tokens=False)["input_ids"]])
        cut = ids[:, : ids.shape[1] // LENGTH * LENGTH]
        rest = ids[:, cut.shape[1] :]
        if not rest.shape[1]:
            cut, rest = cut[:, :-LENGTH], cut[:, -LENGTH:]
        with torch.no_grad():
            memory = lm.model(cut).memory
            best = lm.model(rest, None, memory).logits[0, -1].argmax()
        assert answer == lm.tokenizer.decode([int(best)])


def test_no_more_is_run_at_once_than_a_chunk_and_the_question_comes_last(noise, tokenizer, monkeypatch):
    monkeypatch.setattr(long_texts, "CHUNK", 10)
    (sample,) = samples(noise, tokenizer, n=1)
    model = Scripted(len(tokenizer), [5])
    read: list[int] = []
    predict_long(LoadedModel("scripted", model, tokenizer), [sample], on_read=read.append)
    segments = sum(model.read, [])
    assert len(segments) > 100
    assert all(len(call) <= 10 for call in model.read)
    assert sum(segments, []) == sum((tokenizer(p.text)["input_ids"] for p in sample.pieces), [])
    assert all(len(segment) <= LENGTH for segment in segments)
    assert model.questions == [tokenizer(sample.question)["input_ids"]]
    assert sum(read) == sample.n_tokens == 700


def test_the_question_may_be_read_before_the_text_too(noise, tokenizer):
    (sample,) = samples(noise, tokenizer, n=1)
    model = Scripted(len(tokenizer), [5])
    predict_long(LoadedModel("scripted", model, tokenizer), [sample], question_first=True)
    assert model.read[0][0] == tokenizer(sample.question)["input_ids"] == model.questions[0]


def test_what_is_read_does_not_pile_up(noise, tokenizer):
    def peak(n_pieces: int) -> int:
        class Pieces:
            def __iter__(self):
                return (Piece(f"Mary went to the kitchen {i}.") for i in range(n_pieces))

        sample = BabiLongSample("qa1", "0k", "Where is Mary?", "kitchen", Pieces())
        model = Scripted(len(tokenizer), [5])
        model.read = SimpleNamespace(append=lambda _: None)
        tracemalloc.start()
        predict_long(LoadedModel("scripted", model, tokenizer), [sample])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(200)
    assert peak(3_000) < peak(300) + 50_000


def test_an_answer_of_several_tokens_is_said_token_by_token_up_to_the_end_of_text():
    tokenizer = train_tokenizer(["a"], vocab_size=257)  # each letter is a token
    sample = BabiLongSample("qa1", "0k", "Where?", "office", [Piece("John is there.")])
    letters = tokenizer("hall")["input_ids"]
    ends = [*letters, tokenizer.eos_token_id, *letters]
    for script, answer in ((ends, "hall"), (letters * 2, "hallhal")):  # " office" has seven letters
        model = Scripted(257, script)
        assert predict_long(LoadedModel("scripted", model, tokenizer), [sample]) == [answer]
        assert model.questions[:2] == [tokenizer("Where?")["input_ids"], tokenizer("Where?h")["input_ids"]]
        assert len(model.questions) == 7


def test_on_a_language_model_sentences_begin_with_its_first_token_and_the_answer_continues_the_opening():
    tokenizer = train_tokenizer(["a"], vocab_size=257)
    begin_sentences(tokenizer, tokenizer.eos_token_id)
    sample = BabiLongSample("qa1", "0k", "Where is Jo?", "hall", [Piece("Jo."), Piece("Hi.")])
    hall = tokenizer(" hall", add_special_tokens=False)["input_ids"]
    model = Scripted(257, [*hall, *tokenizer(". Jo")["input_ids"]])
    assert predict_long(LoadedModel("scripted", model, tokenizer), [sample]) == ["hall"]
    assert model.questions[0] == tokenizer("Where is Jo? Jo is in the")["input_ids"]
    assert model.questions[0][0] == tokenizer.eos_token_id
    assert [ids[0] for ids in model.read[0]] == [tokenizer.eos_token_id] * 2


def test_a_model_of_stories_alone_cannot_be_asked_among_noise(noise):
    words = LoadedModel("of stories", None, subword_tokenizer(babi_words(("qa1",)), ["a b c"], vocab_size=40))
    with pytest.raises(
        ValueError,
        match=r"of stories does not know \d\d% of the background text of qa1 at 1k, because .* length 0k",
    ):
        predict_long(words, samples(noise, words.tokenizer))
    with pytest.raises(ValueError, match="unknown words: .*apple"):
        predict_long(words, samples(noise, words.tokenizer, task="qa8", length="0k", n=9))


def test_other_segments_are_refused(noise, tokenizer):
    with pytest.raises(ValueError, match="unknown segments 'words'; known: sentences, tokens"):
        predict_long(LoadedModel("none", None, tokenizer), [], segments="words")


def test_scores_by_hand():
    def sample(answer: str, *facts: str) -> BabiLongSample:
        pieces = [Piece("He had a garden."), *map(Piece, facts)]
        return BabiLongSample("qa1", "1k", "Where is Mary?", answer, pieces, facts)

    mary, john = "Mary went to the kitchen.", "John went to the office."
    made = [sample("kitchen", mary, john), sample("kitchen", john, mary), sample("office", mary, john)]
    made += [sample("garden")]  # facts unknown: the last place is looked for in the whole text
    s = score_long(made, [" Kitchen", "in the kitchen", "offices", "garden or office"])
    assert (s.exact.n, s.exact.accuracy, s.label_set, s.label_words) == (4, 1 / 4, 3 / 4, 2 / 4)
    assert (s.exact.majority, s.exact.last_mentioned) == (2 / 4, 3 / 4)
