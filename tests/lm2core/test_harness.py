"""The evaluation harness: its figures are the model's own, each text read from a fresh memory."""

import json
import math
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from lm2core.answers import Reader
from lm2core.architectures import ARCHITECTURES, make_model
from lm2core.babi.vocabulary import babi_words
from lm2core.cli_harness import on_harness
from lm2core.config import LM2Config
from lm2core.harness import run_harness
from lm2core.text_tokenizer import train_tokenizer
from lm2core.tokenizer import word_tokenizer
from tests.conftest import ROOT, SIZES, T

pytest.importorskip("lm_eval", reason="pip install -e '.[harness]'")
datasets = pytest.importorskip("datasets")

from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

from lm2core import harness_model  # noqa: E402
from lm2core.harness_model import HarnessModel  # noqa: E402

FOLDER = Path(__file__).parent / "harness_task"
DOCS = [json.loads(line) for line in (FOLDER / "where.jsonl").read_text().splitlines()]
CONTEXTS = [f"{doc['story']} {doc['question']}" for doc in DOCS]
PAIRS = [
    (context, f" {choice}") for context, doc in zip(CONTEXTS, DOCS, strict=True) for choice in doc["choices"]
]
EVERY_ARCHITECTURE = pytest.mark.parametrize("architecture", ARCHITECTURES)


def make_reader(architecture="lm2", **changes):
    """An untrained model of the small sizes, and a tokenizer that knows every text."""
    tokenizer = train_tokenizer([doc["story"] for doc in DOCS], vocab_size=290)
    torch.manual_seed(0)
    config = LM2Config(**(SIZES | {"vocab_size": len(tokenizer)} | changes))
    return Reader("tiny", make_model(config, architecture).eval(), tokenizer)


def as_requests(kind, arguments):
    """Requests as the harness makes them."""
    return [Instance(kind, {}, given, i, ("task", i, 1)) for i, given in enumerate(arguments)]


def token_scores(reader, text, *, prefix=()):
    """Log-probability of each token after the first, one text at a time, and if it is the likeliest."""
    ids = torch.tensor([[*prefix, *reader.tokenizer(text, add_special_tokens=not prefix)["input_ids"]]])
    with torch.no_grad():
        logits = reader.model(ids).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0], logits.argmax(-1) == ids[0, 1:]


def pair_score(reader, context, continuation):
    log_probability, is_best = token_scores(reader, context + continuation)
    n_given = len(reader.tokenizer(context)["input_ids"])
    return float(log_probability[n_given - 1 :].sum()), bool(is_best[n_given - 1 :].all())


def story_score(reader, story):
    return float(token_scores(reader, story, prefix=[reader.tokenizer.eos_token_id])[0].sum())


def written_ids(reader, context, n_new):
    """Greedy continuation, the whole text again for every token, up to the one that ends texts."""
    ids = torch.tensor([reader.tokenizer(context)["input_ids"]])
    n_given = ids.shape[1]
    with torch.no_grad():
        for _ in range(n_new):
            ids = torch.cat([ids, reader.model(ids).logits[:, -1:].argmax(-1)], 1)
    new_ids = ids[0, n_given:].tolist()
    end = reader.tokenizer.eos_token_id
    return new_ids[: new_ids.index(end)] if end in new_ids else new_ids


def written(reader, context, n_new, stop=None):
    text = reader.tokenizer.decode(written_ids(reader, context, n_new))
    return text.split(stop)[0] if stop else text


@pytest.fixture
def only_own_tasks(monkeypatch, tmp_path):
    """Run where the task files expect it, without reading the 14,000 files of the harness first."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr("lm_eval.tasks.TaskManager", partial(TaskManager, include_defaults=False))


def run(reader, tasks, **options):
    return run_harness(reader, tasks, include_path=FOLDER, **options)


@EVERY_ARCHITECTURE
@pytest.mark.parametrize("piece", [1024, 2 * T])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_log_likelihoods_are_the_models_own_whatever_order_batch_and_piece(
    architecture, piece, batch_size, monkeypatch
):
    """A memory carried over from another request, or lost between pieces, would show."""
    monkeypatch.setattr(harness_model, "PIECE_TOKENS", piece)
    reader = make_reader(architecture)
    expected = [pair_score(reader, *pair) for pair in PAIRS]
    model = HarnessModel(reader, batch_size=batch_size)
    for order in (range(len(PAIRS)), torch.randperm(len(PAIRS)).tolist()):
        got = model.loglikelihood(as_requests("loglikelihood", [PAIRS[i] for i in order]))
        for (log_probability, is_greedy), i in zip(got, order, strict=True):
            assert log_probability == pytest.approx(expected[i][0], abs=2e-5)
            assert is_greedy == expected[i][1]


def test_a_continuation_is_greedy_only_if_its_every_token_is(monkeypatch):
    """A wrong token and the greedy ones after it, two pieces later still wrong."""
    monkeypatch.setattr(harness_model, "PIECE_TOKENS", T)
    reader = make_reader()
    context = reader.tokenizer(CONTEXTS[0])["input_ids"]
    best = written_ids(reader, CONTEXTS[0], 1)
    wrong = [(best[0] + 1) % len(reader.tokenizer)]
    model = HarnessModel(reader)
    for start, is_greedy in ((best, True), (wrong, False)):
        ids = torch.tensor([context + start])
        with torch.no_grad():
            for _ in range(2 * T):
                ids = torch.cat([ids, reader.model(ids).logits[:, -1:].argmax(-1)], 1)
        request = (("", ""), context, ids[0, len(context) :].tolist())
        ((_, got),) = model._loglikelihood_tokens([request])
        assert got == is_greedy


@EVERY_ARCHITECTURE
@pytest.mark.parametrize("piece", [1024, 2 * T])
def test_a_whole_text_is_scored_after_the_token_that_ends_texts(architecture, piece, monkeypatch):
    monkeypatch.setattr(harness_model, "PIECE_TOKENS", piece)
    reader = make_reader(architecture)
    stories = [doc["story"] for doc in DOCS]
    got = HarnessModel(reader, batch_size=3).loglikelihood_rolling(
        as_requests("loglikelihood_rolling", [(story,) for story in stories])
    )
    assert got == pytest.approx([story_score(reader, story) for story in stories], abs=1e-4)


def test_a_tokenizer_that_begins_texts_itself_does_so_once():
    """As a Llama's does."""
    reader = make_reader()
    end = reader.tokenizer.eos_token
    begin = TemplateProcessing(single=f"{end} $A", special_tokens=[(end, reader.tokenizer.eos_token_id)])
    reader.tokenizer.backend_tokenizer.post_processor = begin
    assert reader.tokenizer("a")["input_ids"][0] == reader.tokenizer.eos_token_id
    model = HarnessModel(reader)
    ((got, _),) = model.loglikelihood(as_requests("loglikelihood", PAIRS[:1]))
    assert got == pytest.approx(pair_score(reader, *PAIRS[0])[0], abs=2e-5)
    (got,) = model.loglikelihood_rolling(as_requests("loglikelihood_rolling", [(DOCS[0]["story"],)]))
    assert got == pytest.approx(story_score(reader, DOCS[0]["story"]), abs=1e-4)


@EVERY_ARCHITECTURE
def test_texts_are_written_as_token_by_token_and_cut_before_a_stop(architecture):
    reader = make_reader(architecture)
    free = [written(reader, context, 2 * T) for context in CONTEXTS]
    stop = Counter(c for text in free for c in set(text)).most_common(1)[0][0]
    model = HarnessModel(reader, batch_size=4)
    requests = [(context, {"max_gen_toks": 2 * T}) for context in CONTEXTS]
    requests += [(context, {"max_gen_toks": T + 1, "until": [stop]}) for context in CONTEXTS]
    order = torch.randperm(len(requests)).tolist()
    got = model.generate_until(as_requests("generate_until", [requests[i] for i in order]))
    expected = free + [written(reader, context, T + 1, stop) for context in CONTEXTS]
    assert got == [expected[i] for i in order]
    assert any(text != cut for text, cut in zip(free, expected[len(free) :], strict=True))


@pytest.mark.parametrize("architecture", ["lm2", "rmt"])
def test_nothing_is_run_after_every_text_has_ended(architecture):
    """By a stop sequence, or by the token that ends texts."""
    reader = make_reader(architecture)
    n_runs = Counter()
    reader.model.register_forward_hook(lambda *_: n_runs.update(["runs"]))
    new_ids = written_ids(reader, CONTEXTS[0], 2 * T)
    words = [reader.tokenizer.decode(i) for i in new_ids]
    n_needed = (
        next(n for n in range(1, 2 * T) if words[n].isascii() and words[n] not in "".join(words[:n])) + 1
    )

    def write(**options):
        n_runs.clear()
        request = as_requests("generate_until", [(CONTEXTS[0], {"max_gen_toks": 5 * T} | options)])
        return HarnessModel(reader).generate_until(request)[0], n_runs["runs"]

    before = reader.tokenizer.decode(new_ids[: n_needed - 1])
    assert write(until=words[n_needed - 1]) == (before, n_needed)
    reader.tokenizer.eos_token = reader.tokenizer.convert_ids_to_tokens(new_ids[n_needed - 1])
    assert write() == (before, n_needed)


@pytest.mark.parametrize(("architecture", "reaches"), [("lm2", True), ("rmt", True), ("llama-window", False)])
def test_the_beginning_of_a_text_of_many_segments_counts_where_there_is_a_memory(architecture, reaches):
    """Nothing is cut off on the left."""
    model = HarnessModel(make_reader(architecture))
    ends = "She went to the office. " * 3 + "Where is she?"
    pairs = [(f"{name} took it. {ends}", " there") for name in "AB"]  # one token each
    (one, _), (other, _) = model.loglikelihood(as_requests("loglikelihood", pairs))
    assert (one != pytest.approx(other, abs=1e-6)) == reaches


def test_choices_that_differ_in_one_token_are_run_once():
    reader = make_reader()
    n_rows = []
    reader.model.register_forward_pre_hook(lambda _, given: n_rows.append(len(given[0])))
    HarnessModel(reader).loglikelihood(
        as_requests("loglikelihood", [("Where?", f" {c}"[1:]) for c in "ABCD"])
    )
    assert n_rows == [1]


@EVERY_ARCHITECTURE
def test_the_harness_reports_figures_computed_by_hand(architecture, only_own_tasks):
    reader = make_reader(architecture)
    names = ["lm2_where", "lm2_where_write", "lm2_stories"]
    rows = {(row["task"], row["metric"]): row for row in run(reader, names, batch_size=3)}
    assert {key: row["value"] for key, row in rows.items()} == pytest.approx(_by_hand(reader), rel=1e-4)
    assert {row["model"] for row in rows.values()} == {"tiny"}
    assert {row["harness"] for row in rows.values()} == {"0.4.13"}
    chance = (1 / 2 + 1 / 3 + 1 / 4 + 1 / 2 + 1 / 3) / 5
    for task, n in (("lm2_where_choice", 5), ("lm2_where", 10)):
        assert rows[task, "acc"]["chance"] == pytest.approx(chance)
        assert rows[task, "acc"]["n"] == n
    accuracy = rows["lm2_where_choice", "acc"]
    assert accuracy["stderr"] == pytest.approx(math.sqrt(accuracy["value"] * (1 - accuracy["value"]) / 4))
    assert rows["lm2_where_write", "exact_match"]["chance"] is None
    assert json.loads(json.dumps(list(rows.values()))) == list(rows.values())


def _by_hand(reader):
    """The figures of the task files, from one run of the model a text."""
    right = Counter()
    for context, doc in zip(CONTEXTS, DOCS, strict=True):
        for task, text in (("choice", context), ("no_story", doc["question"])):
            scores = [pair_score(reader, text, f" {choice}")[0] for choice in doc["choices"]]
            per_char = [score / len(choice) for score, choice in zip(scores, doc["choices"], strict=True)]
            for metric, of_choices in (("acc", scores), ("acc_norm", per_char)):
                best = doc["choices"][max(range(len(scores)), key=of_choices.__getitem__)]
                right[task, metric] += best == doc["answer"]
        right["write"] += written(reader, context, 9, ".") == doc["answer"]
    stories = [doc["story"] for doc in DOCS]
    total = sum(story_score(reader, story) for story in stories)
    both = right["choice", "acc"] + right["no_story", "acc"]
    return {
        ("lm2_where_choice", "acc"): right["choice", "acc"] / 5,
        ("lm2_where_choice", "acc_norm"): right["choice", "acc_norm"] / 5,
        ("lm2_where_no_story", "acc"): right["no_story", "acc"] / 5,
        ("lm2_where_no_story", "acc_norm"): right["no_story", "acc_norm"] / 5,
        ("lm2_where", "acc"): both / 10,
        ("lm2_where_write", "exact_match"): right["write"] / 5,
        ("lm2_stories", "word_perplexity"): math.exp(-total / sum(len(s.split()) for s in stories)),
        ("lm2_stories", "bits_per_byte"): -total / sum(len(s.encode()) for s in stories) / math.log(2),
    }


def test_limit_and_worked_examples_are_the_harnesses(only_own_tasks):
    (row, *_) = run(make_reader(), ["lm2_where_choice"], limit=3, n_shot=1)
    assert (row["n"], row["n_shot"]) == (3, 1)
    assert row["chance"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)


def test_the_command_shows_a_row_a_figure_and_nothing_for_what_is_unknown(only_own_tasks, tmp_path, capsys):
    reader = make_reader("rmt")
    reader.model.save_pretrained(tmp_path)
    reader.tokenizer.save_pretrained(tmp_path)
    rows = on_harness(str(tmp_path), "lm2_where_choice, lm2_where_write", include_path=FOLDER)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][-2:] == [f"{sum(p.numel() for p in reader.model.parameters()):,}", "parameters"]
    shown = f"{rows[0]['value']:.4g}", f"{rows[0]['stderr']:.4g}"
    assert ["lm2_where_choice", "acc", *shown, "0.3833", "5", "0"] in lines
    assert ["lm2_where_write", "exact_match", "0", "0", "5", "0"] in lines


@pytest.mark.parametrize(
    ("changes", "n_right"),
    [
        ("doc_to_target: '{{[0, 1]}}'\nmetric_list: [{metric: acc}]\n", 2),
        ("metric_list: [{metric: acc}, {metric: acc_mutual_info}]\n", 1),
    ],
    ids=["several right choices", "choices also scored by themselves"],
)
def test_chance_is_the_share_of_right_choices(changes, n_right, only_own_tasks, tmp_path):
    (tmp_path / "task.yaml").write_text(f"include: {FOLDER / 'where_choice.yaml'}\ntask: own\n{changes}")
    row, *_ = run_harness(make_reader(), ["own"], include_path=tmp_path, limit=3)
    assert row["chance"] == pytest.approx(n_right * (1 / 2 + 1 / 3 + 1 / 4) / 3)


def test_the_length_reaches_a_task_that_makes_its_data(only_own_tasks, tmp_path):
    """As BABILong's tasks take it; they fetch their data."""
    (tmp_path / "data.py").write_text(
        "import datasets\n"
        "def load(max_seq_lengths='0k', **_):\n"
        "    return {'test': datasets.Dataset.from_list([{'text': 'ab', 'length': max_seq_lengths}])}\n"
    )
    (tmp_path / "task.yaml").write_text(
        "task: own\ncustom_dataset: !function data.load\ndataset_path: own\ntest_split: test\n"
        "output_type: generate_until\ndoc_to_text: '{{text}}'\n"
        "doc_to_target: '{{1 / 0 if length != \"4k\"}}'\n"
        "generation_kwargs: {until: [], max_gen_toks: 2}\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
    )
    (row,) = run_harness(make_reader(), ["own"], include_path=tmp_path, length="4k")
    assert row["length"] == "4k"


def test_words_a_model_does_not_know_are_refused_before_anything_is_scored(only_own_tasks):
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    torch.manual_seed(0)
    model = make_model(LM2Config(**(SIZES | {"vocab_size": len(tokenizer)})), "lm2").eval()
    model.register_forward_hook(lambda *_: pytest.fail("something was scored"))
    with pytest.raises(ValueError, match="tiny cannot read this task: unknown words: took, milk") as error:
        run(Reader("tiny", model, tokenizer), ["lm2_where_choice"])
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_a_whole_text_needs_a_token_to_begin_with():
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    model = make_model(LM2Config(**(SIZES | {"vocab_size": len(tokenizer)})), "lm2").eval()
    with pytest.raises(ValueError, match="no token to begin a text with"):
        HarnessModel(Reader("tiny", model, tokenizer)).loglikelihood_rolling(
            as_requests("loglikelihood_rolling", [("Mary went to the kitchen.",)])
        )


def test_a_choice_without_a_token_of_its_own_is_refused():
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    model = make_model(LM2Config(**(SIZES | {"vocab_size": len(tokenizer)})), "lm2").eval()
    with pytest.raises(ValueError, match="'  ' has no token of its own after 'Where is Mary\\?'"):
        HarnessModel(Reader("tiny", model, tokenizer)).loglikelihood(
            as_requests("loglikelihood", [("Where is Mary?", "  ")])
        )


def test_a_task_that_draws_tokens_at_random_is_refused():
    request = as_requests("generate_until", [("Where?", {"do_sample": True, "temperature": 0.8})])
    with pytest.raises(ValueError, match="task task draws tokens at random"):
        HarnessModel(make_reader()).generate_until(request)


def test_a_missing_harness_is_said_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ValueError, match=r"not installed; in the checkout: pip install -e '\.\[harness\]'"):
        run_harness(make_reader(), ["mmlu"])


@pytest.mark.slow
def test_an_unknown_task_is_refused_with_near_names_of_all_the_harness_has():
    with pytest.raises(ValueError, match="no task 'mmlu_anatmy'; near: mmlu_anatomy"):
        run_harness(make_reader(), ["mmlu_anatmy"])


def test_data_that_cannot_be_fetched_is_said_with_the_way_out(only_own_tasks, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("Couldn't reach 'cais/mmlu' on the Hub\nmore")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(
        ValueError, match="Couldn't reach .* on the Hub; fetch it once .*--harness-tasks-folder"
    ):
        run(make_reader(), ["lm2_where_choice"])


def test_a_task_that_needs_another_package_names_it(only_own_tasks, tmp_path):
    (tmp_path / "data.py").write_text("import no_such_package\n")
    (tmp_path / "task.yaml").write_text("task: own\ncustom_dataset: !function data.load\n")
    with pytest.raises(ValueError, match="task own needs a package .*no_such_package"):
        run_harness(make_reader(), ["own"], include_path=tmp_path)


@pytest.mark.parametrize(
    ("tasks", "options", "text"),
    [
        ([" "], {}, "no task named; give names"),
        (["lm2_where_chioce"], {}, "near: lm2_where_choice"),
        (["lm2_where"], {"include_path": FOLDER / "where.yaml"}, "where.yaml is no folder"),
        (["lm2_where"], {"limit": 0}, "limit=0 must be at least 1"),
        (["lm2_where"], {"batch_size": 0}, "batch_size=0 must be at least 1"),
        (["lm2_where"], {"n_shot": -1}, "n_shot=-1 must be at least 0"),
    ],
)
def test_what_cannot_be_run_is_refused(tasks, options, text, only_own_tasks):
    with pytest.raises(ValueError, match=text):
        run_harness(make_reader(), tasks, **({"include_path": FOLDER} | options))
