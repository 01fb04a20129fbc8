"""Requests of the evaluation harness: the model's own figures, each text read from a fresh memory."""

from collections import Counter

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from tests.conftest import T

pytest.importorskip("lm_eval", reason="pip install -e '.[harness]'")


from lm2core.evaluation import harness_model  # noqa: E402
from lm2core.evaluation.harness_model import HarnessModel  # noqa: E402
from tests.lm2core.evaluation.expected import (  # noqa: E402
    CONTEXTS,
    DOCS,
    EVERY_ARCHITECTURE,
    PAIRS,
    as_requests,
    make_lm,
    pair_score,
    story_score,
    written,
    written_ids,
)


@EVERY_ARCHITECTURE
@pytest.mark.parametrize("piece", [1024, 2 * T])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_log_likelihoods_are_the_models_own_whatever_order_batch_and_piece(
    architecture, piece, batch_size, monkeypatch
):
    """A memory carried over from another request, or lost between pieces, would show."""
    monkeypatch.setattr(harness_model, "PIECE_TOKENS", piece)
    lm = make_lm(architecture)
    expected = [pair_score(lm, *pair) for pair in PAIRS]
    model = HarnessModel(lm, batch_size=batch_size)
    for order in (range(len(PAIRS)), torch.randperm(len(PAIRS)).tolist()):
        got = model.loglikelihood(as_requests("loglikelihood", [PAIRS[i] for i in order]))
        for (log_probability, is_greedy), i in zip(got, order, strict=True):
            assert log_probability == pytest.approx(expected[i][0], abs=2e-5)
            assert is_greedy == expected[i][1]


def test_a_continuation_is_greedy_only_if_its_every_token_is(monkeypatch):
    """A wrong token and the greedy ones after it, two pieces later still wrong."""
    monkeypatch.setattr(harness_model, "PIECE_TOKENS", T)
    lm = make_lm()
    context = lm.tokenizer(CONTEXTS[0])["input_ids"]
    best = written_ids(lm, CONTEXTS[0], 1)
    wrong = [(best[0] + 1) % len(lm.tokenizer)]
    model = HarnessModel(lm)
    for start, is_greedy in ((best, True), (wrong, False)):
        ids = torch.tensor([context + start])
        with torch.no_grad():
            for _ in range(2 * T):
                ids = torch.cat([ids, lm.model(ids).logits[:, -1:].argmax(-1)], 1)
        request = (("", ""), context, ids[0, len(context) :].tolist())
        ((_, got),) = model._loglikelihood_tokens([request])
        assert got == is_greedy


@EVERY_ARCHITECTURE
@pytest.mark.parametrize("piece", [1024, 2 * T])
def test_a_whole_text_is_scored_after_the_token_that_ends_texts(architecture, piece, monkeypatch):
    monkeypatch.setattr(harness_model, "PIECE_TOKENS", piece)
    lm = make_lm(architecture)
    stories = [doc["story"] for doc in DOCS]
    got = HarnessModel(lm, batch_size=3).loglikelihood_rolling(
        as_requests("loglikelihood_rolling", [(story,) for story in stories])
    )
    assert got == pytest.approx([story_score(lm, story) for story in stories], abs=1e-4)


def test_a_tokenizer_that_begins_texts_itself_does_so_once():
    """As a Llama's does."""
    lm = make_lm()
    end = lm.tokenizer.eos_token
    begin = TemplateProcessing(single=f"{end} $A", special_tokens=[(end, lm.tokenizer.eos_token_id)])
    lm.tokenizer.backend_tokenizer.post_processor = begin
    assert lm.tokenizer("a")["input_ids"][0] == lm.tokenizer.eos_token_id
    model = HarnessModel(lm)
    ((got, _),) = model.loglikelihood(as_requests("loglikelihood", PAIRS[:1]))
    assert got == pytest.approx(pair_score(lm, *PAIRS[0])[0], abs=2e-5)
    (got,) = model.loglikelihood_rolling(as_requests("loglikelihood_rolling", [(DOCS[0]["story"],)]))
    assert got == pytest.approx(story_score(lm, DOCS[0]["story"]), abs=1e-4)


@EVERY_ARCHITECTURE
def test_texts_are_written_as_token_by_token_and_cut_before_a_stop(architecture):
    lm = make_lm(architecture)
    free = [written(lm, context, 2 * T) for context in CONTEXTS]
    stop = Counter(c for text in free for c in set(text)).most_common(1)[0][0]
    model = HarnessModel(lm, batch_size=4)
    requests = [(context, {"max_gen_toks": 2 * T}) for context in CONTEXTS]
    requests += [(context, {"max_gen_toks": T + 1, "until": [stop]}) for context in CONTEXTS]
    order = torch.randperm(len(requests)).tolist()
    got = model.generate_until(as_requests("generate_until", [requests[i] for i in order]))
    expected = free + [written(lm, context, T + 1, stop) for context in CONTEXTS]
    assert got == [expected[i] for i in order]
    assert any(text != cut for text, cut in zip(free, expected[len(free) :], strict=True))


@pytest.mark.parametrize("architecture", ["lm2", "rmt"])
def test_nothing_is_run_after_every_text_has_ended(architecture):
    """By a stop sequence, or by the token that ends texts."""
    lm = make_lm(architecture)
    n_runs = Counter()
    lm.model.register_forward_hook(lambda *_: n_runs.update(["runs"]))
    new_ids = written_ids(lm, CONTEXTS[0], 2 * T)
    words = [lm.tokenizer.decode(i) for i in new_ids]
    n_needed = (
        next(n for n in range(1, 2 * T) if words[n].isascii() and words[n] not in "".join(words[:n])) + 1
    )

    def write(**options):
        n_runs.clear()
        request = as_requests("generate_until", [(CONTEXTS[0], {"max_gen_toks": 5 * T} | options)])
        return HarnessModel(lm).generate_until(request)[0], n_runs["runs"]

    before = lm.tokenizer.decode(new_ids[: n_needed - 1])
    assert write(until=words[n_needed - 1]) == (before, n_needed)
    lm.tokenizer.eos_token = lm.tokenizer.convert_ids_to_tokens(new_ids[n_needed - 1])
    assert write() == (before, n_needed)


@pytest.mark.parametrize(("architecture", "reaches"), [("lm2", True), ("rmt", True), ("llama-window", False)])
def test_the_beginning_of_a_text_of_many_segments_counts_where_there_is_a_memory(architecture, reaches):
    """Nothing is cut off on the left."""
    model = HarnessModel(make_lm(architecture))
    ends = "She went to the office. " * 3 + "Where is she?"
    pairs = [(f"{name} took it. {ends}", " there") for name in "AB"]  # one token each
    (one, _), (other, _) = model.loglikelihood(as_requests("loglikelihood", pairs))
    assert (one != pytest.approx(other, abs=1e-6)) == reaches


def test_choices_that_differ_in_one_token_are_run_once():
    lm = make_lm()
    n_rows = []
    lm.model.register_forward_pre_hook(lambda _, given: n_rows.append(len(given[0])))
    HarnessModel(lm).loglikelihood(as_requests("loglikelihood", [("Where?", f" {c}"[1:]) for c in "ABCD"]))
    assert n_rows == [1]
