"""What a page says under Reproduce gives the page's numbers, from Python and from a terminal."""

import contextlib
import io
import json
import shlex
import subprocess

import numpy as np
import pandas as pd
import pytest

from app.loaders import causal, fact_probes, interchange, noise, probes, slots
from app.widgets.tables import readable
from lm2viz.causal import Zero, to_json
from lm2viz.cli.main import main
from lm2viz.probes.by_fact import best_slots
from lm2viz.stage import shipped
from tests.app.pages import open_page, unpacked

MODEL, N = "babi-qa1-3", 10
FACT = "place of John"
SAMPLE = {"model": MODEL, "task": "qa1", "n_stories": str(N)}
STORY = {"model": MODEL, "source": "Generated", "task": "qa1", "seed": "3", "step": "6"}
EDITS = to_json([Zero(slots=(13,))])
INTERCHANGE = {"model": MODEL, "edits_view": "Interchange", "effect_n": "40", "interchange_fact": FACT}
PAIR = {"model": MODEL, "task": "qa1", "pair_kind": "place", "pair_seed": "3", "n_pairs": "2"}


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(probes, "SIZES", (N, 30))
    monkeypatch.setattr(slots, "SIZES", (N, 30))
    monkeypatch.setattr(slots, "N_MATCHED", N)
    monkeypatch.setattr(shipped, "N_STORIES", 10)
    monkeypatch.setattr(interchange, "N_STORIES", (40, 100))
    monkeypatch.setattr(causal, "N_PAIRS", (2, 3))
    monkeypatch.setattr(causal, "MIN_PLACEBOS", 2)
    monkeypatch.setattr(causal, "N_STORIES", (4, 5))
    fact_probes.load_fact_probes.clear()
    yield
    fact_probes.load_fact_probes.clear()


def recipes(page):
    """What the page offers: of each the lines for the shell and the Python."""
    blocks = [(block.language, block.value) for block in page.code]
    found, shell = [], ""
    for language, text in blocks:
        if language == "bash":
            shell = text
        else:
            found.append((shell, text))
            shell = ""
    return found


def run_python(code):
    """The names that the code leaves, and what it prints."""
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "reproduce", "exec"), names)  # noqa: S102
    return names, printed.getvalue()


def run_shell(lines, capsys):
    """What the lines print; those of lm2 in this process."""
    capsys.readouterr()
    for line in lines.splitlines():
        if line.startswith("lm2 "):
            assert main(shlex.split(line)[1:]) == 0
        else:
            subprocess.run(["sh", "-c", line], check=True)
    return capsys.readouterr().out


def measured(page):
    key = next(b.key for b in page.button if b.label == "Measure")
    page.button(key=key).click().run(timeout=240)
    assert not page.exception
    return page


def words_on(page):
    elements = (*page.text, *page.markdown, *page.caption)
    alts = [chart.proto.alt for chart in page.get("plotly_chart")]
    return "\n".join([*(element.value for element in elements), *alts]).replace("\\", "")


@pytest.mark.parametrize(
    ("view", "query"),
    [
        ("slots", SAMPLE | {"map_slots": "13", "fact": FACT}),
        ("compare", {"compare_view": "Two models", "model": MODEL, "other_model": "babi-qa1-10"}),
        ("causal_map", PAIR | {"causal_view": "Causal map"}),
        ("causal_map", PAIR | {"causal_view": "Attribution", "n_attributed": "4"}),
        ("interventions", STORY | {"edits": EDITS, "effect_n": "25", "effect_seed": "3"}),
        ("interventions", INTERCHANGE | {"interchange_slots": "13"}),
        ("interventions", INTERCHANGE),
    ],
    ids=["slots", "compare", "causal map", "attribution", "interventions", "interchange", "best slot"],
)
def test_the_summary_on_the_page_is_that_of_python_and_of_the_command(view, query, capsys):
    page = open_page(view, **query)
    if view in ("causal_map", "interventions"):
        page = measured(page)
    shell, python = recipes(page)[-1]
    names, printed = run_python(python)
    summary = names["result"].summary()
    assert summary in printed
    assert summary in words_on(page)
    assert summary in run_shell(shell, capsys)


def test_the_probes_are_those_of_python_and_of_the_command(capsys):
    page = open_page("probes", **SAMPLE)
    ((shell, python),) = recipes(page)
    result = run_python(python)[0]["result"]
    pd.testing.assert_frame_equal(page.dataframe[0].value, best_slots(result), check_dtype=False)
    assert result.summary() in run_shell(shell, capsys)


@pytest.mark.parametrize("slot", ["best", "9"])
def test_one_fact_and_its_age_are_those_of_python_and_of_the_command(slot, capsys):
    link = SAMPLE | {"fact": FACT, "probe_slot": slot}
    page = open_page("probes", probes_view="One fact", **link)
    ((shell, python),) = recipes(page)
    names, printed = run_python(python)
    assert f"**{names['result'].estimate('probe').as_share()}**" in words_on(page)
    by_age = open_page("probes", probes_view="Age", **link)
    ((shell_of_age, python_of_age),) = recipes(by_age)
    decay = run_python(python_of_age)[0]["result"]
    pd.testing.assert_frame_equal(by_age.dataframe[0].value, readable(decay.table()), check_dtype=False)
    assert (shell != "") is (slot == "best")
    assert shell == shell_of_age
    if shell:
        said = run_shell(shell, capsys)
        assert decay.summary() in said
        assert printed.split("\n", 1)[1] in said  # code length and learning curve


def test_own_labels_are_probed_by_python_and_by_the_command_from_their_file(tmp_path, capsys):
    page = open_page("probes", probes_view="Own labels", **SAMPLE)
    rows = [f"{b},{s},half,{'first' if s < 5 else 'second'}" for b in range(N) for s in range(10)]
    labels = "\n".join(["story,segment,fact,value", *rows])
    (tmp_path / "my labels.csv").write_text(labels)
    page.file_uploader(key="labels_upload").upload("my labels.csv", labels.encode()).run()
    assert not page.exception
    ((shell, python),) = recipes(page)
    result = run_python(python)[0]["result"]
    pd.testing.assert_frame_equal(page.dataframe[0].value, best_slots(result), check_dtype=False)
    assert result.summary() in run_shell(shell, capsys)


@pytest.mark.parametrize("view", ["Words and questions", "Explanation"])
def test_words_and_explanations_of_slots_are_those_of_python_and_of_the_command(view, capsys):
    page = open_page("slots", slots_view=view, slot="13", **SAMPLE)
    ((shell, python),) = recipes(page)
    result = run_python(python)[0]["result"]
    assert result.summary() in run_shell(shell, capsys)
    shown = page.dataframe[-1].value
    table = result.table()
    if "slot" not in shown:
        table = table[table["slot"] == 13].drop(columns="slot")
    if view == "Explanation":
        table = readable(table)
    else:  # the page shows the control of an interval under a name of its own
        table = table.rename(columns={"elsewhere": "in the other slots", "n_stories": "stories"})
        table, shown = (t[["text", "stories", "strength", "in the other slots", "p"]] for t in (table, shown))
    pd.testing.assert_frame_equal(
        shown.reset_index(drop=True), table.reset_index(drop=True), check_dtype=False
    )


@pytest.mark.parametrize("view", ["Last sentence", "Question", "One slot"])
def test_the_answer_on_the_story_page_is_that_of_python_and_of_the_command(view, capsys):
    page = open_page("story", view=view, **STORY)
    ((shell, python),) = recipes(page)
    names, _ = run_python(python)
    answer = names["answer"]
    assert f"answers {answer.words[0]} ({answer.probabilities[0]:.0%})" in words_on(page)
    assert answer.words[:6] == tuple(line.split()[-1] for line in run_shell(shell, capsys).splitlines()[1:])
    assert len(names["picture"].table)


def test_sources_and_facts_on_the_story_page_are_those_of_python(capsys):
    page = open_page("story", view="Sources", **STORY)
    ((_, python),) = recipes(page)
    assert run_python(python)[0]["result"].summary() in words_on(page)
    page = open_page("story", view="Facts", **STORY)
    ((shell, python),) = recipes(page)
    assert shell == ""
    names, _ = run_python(python)
    table = page.dataframe[0].value
    for fact, decoded in zip(table["fact"], table["decoded"], strict=True):
        assert decoded.split()[1] == names["result"][fact].decode(names["bank"])[0]


def test_attention_and_the_gated_update_are_those_of_python():
    page = open_page("attention", **STORY)
    (_, python) = recipes(page)[0]
    names, _ = run_python(python)
    for answer in (names["answer"], names["before"]):
        assert f"**{answer.words[0]}** ({answer.probabilities[0]:.0%})" in words_on(page)
    chart = next(
        c for c in page.get("plotly_chart") if "Distance between the last word's reads" in c.proto.spec
    )
    moved = unpacked(json.loads(chart.proto.spec)["data"][0]["y"])
    np.testing.assert_allclose(moved, names["result"].ravel(), atol=1e-6)
    page = open_page("gated_update", slot="5", input_gate="0.2", ask_at="At the end", **STORY)
    (_, python) = recipes(page)[0]
    names, _ = run_python(python)
    for answer in (names["answer"], names["edited"]):
        assert f"**{answer.words[0]}** ({answer.probabilities[0]:.0%})" in words_on(page)
    assert "edit = GateEdit(step=6, slot=5" in python


def test_the_story_with_interventions_is_that_of_python(capsys):
    page = open_page("interventions", edits=EDITS, **STORY)
    names, _ = run_python(recipes(page)[0][1])
    table = page.dataframe[0].value
    np.testing.assert_allclose(table["p edited"], [a.p_after for a in names["result"].answers], atol=1e-6)
    np.testing.assert_allclose(table["p control"], [a.p_control for a in names["result"].answers], atol=1e-6)


def test_models_along_a_story_are_those_of_python_and_of_the_command(capsys):
    page = open_page("compare", compare_view="One story", others=["babi-qa1-10-llama"], **STORY)
    ((shell, python),) = recipes(page)
    _, printed = run_python(python)
    last = [eval(line.split(" ", 1)[1])[-1] for line in printed.splitlines()]  # noqa: S307
    said = run_shell(shell, capsys)
    for word, probability in last:
        assert f"{probability:6.1%}  {word}" in said


def test_the_table_of_architectures_is_read_by_python_from_where_it_is_kept(monkeypatch):
    monkeypatch.chdir(causal.__file__.rsplit("/app/", 1)[0])
    page = open_page("compare")
    python = recipes(page)[0][1].replace("write_html('accuracy.html')", "data")
    assert run_python(python)[1].strip() in words_on(page)


def test_noise_is_measured_alike_by_python_with_the_control_of_the_page():
    page = open_page("noise", length="0k", seed="2")
    ((shell, python),) = recipes(page)
    assert shell == ""
    assert run_python(python)[0]["result"].summary() in words_on(page)
    assert noise.MODEL in python
