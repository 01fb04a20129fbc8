"""A small model on the harness's task of these tests, and what it must score and write, text by text."""

import json
from pathlib import Path

import pytest
import torch

from lm2core.baselines.architectures import ARCHITECTURES, make_model
from lm2core.evaluation.harness import run_harness
from lm2core.model.config import LM2Config
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.bpe import train_tokenizer
from tests.conftest import SIZES

pytest.importorskip("lm_eval", reason="pip install -e '.[harness]'")

from lm_eval.api.instance import Instance  # noqa: E402

FOLDER = Path(__file__).parent / "task"
DOCS = [json.loads(line) for line in (FOLDER / "where.jsonl").read_text().splitlines()]
CONTEXTS = [f"{doc['story']} {doc['question']}" for doc in DOCS]
PAIRS = [
    (context, f" {choice}") for context, doc in zip(CONTEXTS, DOCS, strict=True) for choice in doc["choices"]
]
EVERY_ARCHITECTURE = pytest.mark.parametrize("architecture", ARCHITECTURES)


def make_lm(architecture="lm2", **changes):
    """An untrained model of the small sizes, and a tokenizer that knows every text."""
    tokenizer = train_tokenizer([doc["story"] for doc in DOCS], vocab_size=290)
    torch.manual_seed(0)
    config = LM2Config(**(SIZES | {"vocab_size": len(tokenizer)} | changes))
    return LoadedModel("tiny", make_model(config, architecture).eval(), tokenizer)


def as_requests(kind, arguments):
    """Requests as the harness makes them."""
    return [Instance(kind, {}, given, i, ("task", i, 1)) for i, given in enumerate(arguments)]


def token_scores(lm, text, *, prefix=()):
    """Log-probability of each token after the first, one text at a time, and if it is the likeliest."""
    ids = torch.tensor([[*prefix, *lm.tokenizer(text, add_special_tokens=not prefix)["input_ids"]]])
    with torch.no_grad():
        logits = lm.model(ids).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0], logits.argmax(-1) == ids[0, 1:]


def pair_score(lm, context, continuation):
    log_probability, is_best = token_scores(lm, context + continuation)
    n_given = len(lm.tokenizer(context)["input_ids"])
    return float(log_probability[n_given - 1 :].sum()), bool(is_best[n_given - 1 :].all())


def story_score(lm, story):
    return float(token_scores(lm, story, prefix=[lm.tokenizer.eos_token_id])[0].sum())


def written_ids(lm, context, n_new):
    """Greedy continuation, the whole text again for every token, up to the one that ends texts."""
    ids = torch.tensor([lm.tokenizer(context)["input_ids"]])
    n_given = ids.shape[1]
    with torch.no_grad():
        for _ in range(n_new):
            ids = torch.cat([ids, lm.model(ids).logits[:, -1:].argmax(-1)], 1)
    new_ids = ids[0, n_given:].tolist()
    end = lm.tokenizer.eos_token_id
    return new_ids[: new_ids.index(end)] if end in new_ids else new_ids


def written(lm, context, n_new, stop=None):
    text = lm.tokenizer.decode(written_ids(lm, context, n_new))
    return text.split(stop)[0] if stop else text


def run(lm, tasks, **options):
    return run_harness(lm, tasks, include_path=FOLDER, **options)
