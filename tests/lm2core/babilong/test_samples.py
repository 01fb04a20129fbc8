"""Facts in noise: exact lengths, order, places, what is dropped, and that a long text is never held."""

import tracemalloc
from collections import Counter
from itertools import islice

import pytest

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory, read_babi
from lm2core.babilong.background_text import Noise
from lm2core.babilong.excerpts import Background
from lm2core.babilong.samples import (
    PROMPT_TOKENS,
    generated_stories,
    make_samples,
    parse_length,
    split_by_question,
)
from lm2core.text.tokenizer import word_tokenizer

FACTS = ("Mary went to the kitchen.", "John went to the office.")
STORY = TextStory(FACTS, (Question("Where is Mary?", "kitchen", (0,), 2),))


def make(background, task="qa1", length="1k", n=3, seed=0, stories=None):
    stories = generated_stories(task, seed) if stories is None else stories
    return make_samples(stories, background, task=task, length=length, n=n, seed=seed)


def numbers(n: int, n_words: int = 5) -> Background:
    """Background of ``n`` sentences of ``n_words`` tokens, each beginning with its number."""
    sentences = [" ".join([str(i), *["word"] * (n_words - 1)]) for i in range(n)]
    words = {word for text in (*sentences, *FACTS) for word in text.replace(".", " .").split()}
    return Background(Noise("numbers", "test", sentences), word_tokenizer(words))


@pytest.mark.parametrize("length", ["1k", "4k"])
@pytest.mark.parametrize("task", ["qa1", "qa8"])
def test_a_sample_has_its_nominal_length_less_the_prompt_to_the_token(background, tokenizer, task, length):
    for sample in make(background, task, length):
        n = sum(len(tokenizer(piece.text, add_special_tokens=False)["input_ids"]) for piece in sample.pieces)
        assert n == sample.n_tokens == parse_length(length) - PROMPT_TOKENS
        assert (sample.task, sample.length) == (task, length)


def test_facts_keep_their_order_and_background_is_as_it_stands_in_the_text(background, noise):
    for sample in make(background, "qa2", "4k"):
        pieces = list(sample.pieces)
        assert [(p.text, p.fact) for p in pieces if p.fact is not None] == [
            (text, i) for i, text in enumerate(sample.facts)
        ]
        texts = [p.text for p in pieces if p.fact is None]
        start = noise.sentences.index(texts[0])
        there = [noise.sentences[(start + i) % len(noise.sentences)] for i in range(len(texts))]
        assert texts[:-1] == there[:-1]
        assert there[-1].startswith(texts[-1])


def test_a_sample_is_one_question_and_all_statements_before_it(babi_dir):
    (file,) = babi_dir.glob("qa2_*")
    stories = read_babi(file)[:4]
    question_list = list(split_by_question(stories))
    assert [a.questions[0] for a in question_list] == [q for s in stories for q in s.questions]
    for one in question_list:
        assert len(one.sentences) == one.questions[0].n_statements
    sample = make(Background(None, word_tokenizer([])), "qa2", "0k", n=50, stories=question_list)[2]
    assert (sample.question, sample.answer) == (
        question_list[2].questions[0].text,
        question_list[2].questions[0].answer,
    )


def test_places_are_uniform_over_the_gaps_and_drawn_with_replacement():
    """700 tokens less 12 of facts are 3 sentences: 4 gaps; both facts share one of them in 1 of 4 samples."""
    background = numbers(3, n_words=230)
    gaps: Counter[int] = Counter()
    n_shared, n = 0, 2_000
    for seed in range(n):
        (sample,) = make(background, seed=seed, n=1, stories=[STORY])
        pieces = list(sample.pieces)
        before = [
            sum(p.fact is None for p in pieces[: pieces.index(f)]) for f in pieces if f.fact is not None
        ]
        gaps.update(before)
        n_shared += before[0] == before[1]
    assert set(gaps) == {0, 1, 2, 3}
    for gap in gaps.values():
        assert gap == pytest.approx(2 * n / 4, abs=100)  # five standard deviations
    assert n_shared == pytest.approx(n / 4, abs=100)


def test_the_same_seed_gives_the_same_samples_and_another_seed_others(background):
    def expected(**changes):
        return [list(sample.pieces) for sample in make(background, **changes)]

    assert expected() == expected()
    assert expected(n=2) == expected(n=5)[:2]
    assert not any(a == b for a, b in zip(expected(), expected(seed=1), strict=True))


def test_every_length_asks_about_the_same_stories(background):
    short, long = make(background, length="0k"), make(background, length="8k")
    assert [s.facts for s in short] == [s.facts for s in long]
    assert len({s.facts for s in short}) == len(short)


def test_at_0k_the_facts_stand_alone():
    for sample in make(Background(None, word_tokenizer([])), "qa3", "0k", n=5):
        assert [piece.text for piece in sample.pieces] == list(sample.facts)
        assert [piece.fact for piece in sample.pieces] == list(range(len(sample.facts)))


def test_pieces_can_be_gone_through_again(background):
    (sample,) = make(background, n=1)
    assert list(sample.pieces) == list(sample.pieces)


def test_an_excerpt_is_a_stretch_of_the_text_going_round_for_every_start_and_length():
    background = numbers(4)
    text = " ".join(" ".join([str(i), *["word"] * 4]) for i in range(4)).split()
    for start in range(4):
        round_from = text[5 * start :] + text[: 5 * start]
        for n_tokens in range(21):
            excerpt = background.excerpt(start, n_tokens)
            assert " ".join(excerpt).split() == round_from[:n_tokens]
            assert len(list(excerpt)) == excerpt.n_sentences == -(-n_tokens // 5)


def test_noise_that_is_too_short_is_said_with_what_is_needed():
    with pytest.raises(
        ValueError,
        match=r"too short: a sample needs 688 tokens, numbers \(test share\) has 100; give more text",
    ):
        make(numbers(20), n=1, stories=[STORY])
    with pytest.raises(ValueError, match="no noise has 0"):
        make(Background(None, word_tokenizer([])), "qa1", "1k")


def test_stories_with_too_many_lines_or_tokens_are_left_out():
    def story(n_facts: int, words: str = "") -> TextStory:
        return TextStory((f"Mary went {words}.",) * n_facts, STORY.questions)

    rows = [story(125), story(124), story(3, "to " * 300), story(2)]  # 1k: 125 rows and 700 tokens
    samples = make(numbers(300), stories=rows, n=2)
    assert [(len(s.facts), s.index) for s in samples] == [(124, 1), (2, 3)]
    assert [len(s.facts) for s in make(numbers(300), stories=rows, n=9)] == [124, 2]  # there are no more
    assert [len(s.facts) for s in make(numbers(300), stories=rows, length="0k", n=9)] == [125, 124, 3, 2]


def test_a_length_into_which_no_story_fits_is_said():
    long = TextStory(FACTS * 100, STORY.questions)
    with pytest.raises(
        ValueError,
        match="1k is too short for qa1: only 0 of 2 stories fit into 700 tokens and 125 lines; give",
    ):
        make(numbers(300), stories=[long, long])
    with pytest.raises(ValueError, match="only 1 of 60 stories fit"):
        make(numbers(300), stories=[STORY, *[long] * 100])


@pytest.mark.parametrize("length", ["", "4", "k", "4kb", "1.5k", "-1k", "4K", "1m", "4k ", "1234567k"])
def test_a_malformed_length_is_refused(length):
    with pytest.raises(ValueError, match=r"is not a number with k or M; give e.g. 0k"):
        parse_length(length)


def test_lengths_are_decimal():
    assert [parse_length(x) for x in ("0k", "1k", "128k", "1M", "10M")] == [0, 1e3, 128e3, 1e6, 1e7]


def test_a_long_text_is_never_held():
    """What it takes to go through a sample does not grow with it: a million tokens in under 100 kB."""
    background = numbers(100_000, n_words=10)
    peaks = {}
    for length in ("4k", "1M"):
        tracemalloc.start()
        (sample,) = make(background, length=length, n=1, stories=[STORY])
        n_pieces = sum(1 for _ in sample.pieces)
        peaks[length] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert n_pieces > 99_000
    assert peaks["1M"] < peaks["4k"] + 20_000 < 100_000


def test_told_stories_go_on_without_end_and_each_has_one_question_at_its_end():
    for story in islice(generated_stories("qa4", seed=3), 30):
        (question,) = story.questions
        assert len(story.sentences) == question.n_statements
