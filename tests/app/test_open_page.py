"""The Open page: what is opened is shown as it is, to its visitor alone, and no file breaks it."""

import json
import pickle
import shutil
import zipfile
from io import BytesIO

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.loaders import folders, models, opened, stories, traces
from app.reproduce import file_source, story_source, view_code
from lm2core.answers import read_stories
from lm2core.checkpoints import SHIPPED
from lm2core.trace import Trace
from lm2viz import select
from tests.app.pages import drawn, open_page
from tests.handmade import handmade_reader, handmade_stories

MODEL, EXAMPLE, STEP = "babi-qa1-10", "2-two-facts", 4
ONE_SLOT, BANK, READS, SENTENCE = "One slot", "Whole bank", "Question", "Last sentence"


@pytest.fixture(scope="module")
def trace():
    return read_stories(handmade_reader(), handmade_stories(3, n_sentences=5))


@pytest.fixture(scope="module")
def data(trace):
    return opened.trace_file(trace)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder where checkpoints may be opened, with one in it."""
    monkeypatch.setenv("LM2_CHECKPOINTS", str(tmp_path / "allowed"))
    monkeypatch.setenv("LM2_RUNS", str(tmp_path / "runs"))
    shutil.copytree(SHIPPED / MODEL, tmp_path / "allowed" / "mine")
    return tmp_path / "allowed"


def upload(page, content, name="trace.safetensors", key="trace_upload"):
    page.file_uploader(key=key).upload(name, content).run()
    assert not page.exception
    return page


def told(page):
    """Messages as they read, without the strokes that keep markup from acting."""
    return " ".join(
        m.value.replace("\\", "") for m in (*page.error, *page.info, *page.success, *page.markdown)
    )


def type_folder(page, typed):
    page.text_input(key="folder").set_value(typed)
    next(b for b in page.button if b.label == "Open it").click().run()
    assert not page.exception
    return page


def test_an_opened_trace_is_drawn_with_its_own_numbers(trace, data):
    page = upload(open_page("open", step="3", block="1"), data)
    page.number_input(key="trace_story").set_value(2).run()
    np.testing.assert_allclose(
        drawn(page, "Who wrote where, block 1"), select.write_strength(trace, 2, 1, story=2), atol=1e-6
    )
    assert "▶ 3  " + " ".join(trace.tokens[2][2]) in page.text[0].value


def test_the_facts_beside_a_sentence_are_those_of_the_trace_and_then_the_visitor_s_own(trace, data):
    page = upload(open_page("open", step="2"), data)
    expected = trace.info["stories"][0]["facts"][1]
    shown = page.dataframe[0].value
    assert dict(zip(shown["fact"], shown["value"], strict=True)) == {n: v for n, (v, _) in expected.items()}
    assert list(shown["since sentence"]) == [expected[name][1] + 1 for name in shown["fact"]]
    labels = b"story,segment,fact,value\n0,0,mood,<b>sad</b>\n0,1,mood,<b>sad</b>\n"
    upload(page, labels, "labels.csv", "labels_upload")
    assert page.dataframe[0].value.values.tolist() == [["mood", "<b>sad</b>", 1]]
    page.file_uploader(key="labels_upload").clear().run()
    assert len(page.dataframe[0].value) == len(expected)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (b"a,b\n1,2\n", "no column story, segment, fact, value"),
        (b"story,segment,fact,value\n9,9,mood,sad\n", "no label is about a sentence of these stories"),
        (b"\x80\x04\x95pickle", "cannot read labels the file"),
        (b"", "cannot read labels the file"),
        (b"story,segment,fact,value\nx,y,mood,sad\n", "column story must have whole numbers"),
        (b"PK\x03\x04 zip", "the file has no column"),
    ],
    ids=["columns", "nowhere", "pickle", "empty", "words for numbers", "zip"],
)
def test_labels_that_do_not_fit_are_told_and_the_trace_stays(data, labels, expected):
    page = upload(upload(open_page("open", step="2"), data), labels, "labels.csv", "labels_upload")
    assert expected in told(page)
    assert len(page.error) == 1
    assert page.get("plotly_chart")


class Evil:
    """A pickle that would leave a mark where it is opened."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def zip_bomb():
    """A zip whose one member unpacks to 50 MB."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data.pkl", bytes(50_000_000))
    return packed.getvalue()


def as_file(tmp_path, arrays, manifest):
    """A safetensors file with these arrays and this text as its manifest."""
    save_file(arrays, tmp_path / "t.safetensors", metadata={"lm2_trace": manifest})
    return (tmp_path / "t.safetensors").read_bytes()


def changed(trace, *, arrays=None, axes=None, tokens=None, info=None):
    return opened.trace_file(
        Trace(
            dict(trace.arrays) | (arrays or {}), dict(trace.axes) | (axes or {}), tokens or trace.tokens,
            info or dict(trace.info),
        )
    )  # fmt: skip


def bank_alone(trace):
    name = "hook_bank"
    return opened.trace_file(Trace({name: trace.arrays[name]}, {name: trace.axes[name]}, trace.tokens))


GATE = "blocks.1.mem.hook_gate_in"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t, data, tmp: data[:-50], "not a readable trace file"),
        (lambda t, data, tmp: b"", "not a readable trace file"),
        (lambda t, data, tmp: b"# words\n" * 99, "not a readable trace file"),
        (lambda t, data, tmp: pickle.dumps(Evil(tmp / "mark")), "not a readable trace file"),
        (lambda t, data, tmp: zip_bomb(), "not a readable trace file"),
        (lambda t, data, tmp: b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "not a readable trace file"),
        (lambda t, data, tmp: as_file(tmp, {"a": np.zeros(3)}, '{"schema": 99}'), "1 is needed, found 99"),
        (lambda t, data, tmp: as_file(tmp, {"a": np.zeros(3)}, "[" * 100_000), "nested too deeply"),
        (lambda t, data, tmp: (SHIPPED / MODEL / "model.safetensors").read_bytes(), "found none"),
        (lambda t, data, tmp: changed(t, arrays={GATE: t.arrays[GATE] + 3}), "must be in [0, 1], got 3"),
        (lambda t, data, tmp: changed(t, axes={GATE: ("story", "segment", "slot", "source")}), "has axes"),
        (lambda t, data, tmp: changed(t, info={"stories": [{"facts": 3}] * 3}), "the facts in the trace are"),
        (lambda t, data, tmp: changed(t, tokens=[[[]] * 5] * 3), "a sentence without words"),
        (lambda t, data, tmp: bank_alone(t), "lacks every block of memory; record them with: lm2 trace"),
    ],
    ids=["truncated", "empty", "text", "pickle", "zip bomb", "giant header", "schema 99", "nested", "weights",
         "gate of 3", "axes", "facts", "no words", "no memory"],
)  # fmt: skip
def test_a_file_that_is_no_trace_is_told_in_one_line(trace, data, tmp_path, make, expected):
    page = upload(open_page("open"), make(trace, data, tmp_path))
    assert expected in told(page), told(page)
    assert len(page.error) == 1
    assert "\n" not in page.error[0].value
    assert "/tmp" not in told(page)
    assert not (tmp_path / "mark").exists()


def test_a_file_of_another_type_is_refused():
    with pytest.raises(Exception, match="[Ii]nvalid file"):
        upload(open_page("open"), b"x", "trace.pkl")


def test_markup_in_a_trace_is_shown_as_text(trace):
    tokens = [[["<script>alert(1)</script>", "[a](http://x)"], *story[1:]] for story in trace.tokens]
    page = upload(open_page("open", step="1"), changed(trace, tokens=tokens, info={"model": "**x** <b>"}))
    assert "▶ 1  <script>alert(1)</script> [a](http://x)" in page.text[0].value
    assert any(r"\*\*x\*\* \<b\>" in m.value for m in page.markdown)


def test_one_visitor_does_not_see_the_trace_of_another(data):
    first, second = open_page("open"), open_page("open")
    upload(first, data)
    second.run()
    assert first.get("plotly_chart")
    assert not second.get("plotly_chart")
    assert "Open a trace file" in second.info[0].value


def test_one_visitor_does_not_see_the_folder_of_another(root):
    first, second = open_page("open", open="Checkpoint folder"), open_page("open", open="Checkpoint folder")
    type_folder(first, "mine")
    name = folders_shown(first)[0]
    assert name.startswith("./mine@")
    assert folders_shown(second.run()) == []
    theirs = open_page("story", model=name)
    assert name not in theirs.selectbox(key="model").options
    assert theirs.selectbox(key="model").value != name


def folders_shown(page):
    """Options of the model picker, less those that everybody has."""
    page.segmented_control(key="open").set_value("Take away").run()
    shown = [name for name in page.selectbox(key="model").options if name not in models.shipped_models()]
    page.segmented_control(key="open").set_value("Checkpoint folder").run()
    return shown


def test_an_opened_folder_answers_on_the_story_page_as_the_model_it_is(root):
    page = type_folder(open_page("open", open="Checkpoint folder"), "./mine")
    assert "4 blocks" in told(page)
    page.switch_page("views/story.py").run()
    name = page.selectbox(key="model").options[-1]
    page.selectbox(key="model").set_value(name).run()
    assert not page.exception
    sentences = stories.load_example(EXAMPLE).sentences
    same = traces.load_trace(MODEL, sentences), traces.load_trace(name, sentences)
    assert (same[0].arrays["hook_bank"] == same[1].arrays["hook_bank"]).all()
    assert same[1].info["model"] == name  # not where the server keeps it


@pytest.mark.parametrize(
    "typed",
    ["../secret", "mine/../../secret", "/etc", "SECRET", "link", "run:../allowed/../secret", "~root", "x\0y",
     "x" * 390],
)  # fmt: skip
def test_no_folder_outside_is_opened_however_it_is_typed(root, tmp_path, typed):
    shutil.copytree(SHIPPED / MODEL, tmp_path / "secret")
    (root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="folders are opened only under|no checkpoint in"):
        folders.name_folder(typed.replace("SECRET", str(tmp_path / "secret")))


def test_a_link_to_weights_outside_is_not_followed(root, tmp_path):
    shutil.move(root / "mine" / "model.safetensors", tmp_path / "outside.safetensors")
    (root / "mine" / "model.safetensors").symlink_to(tmp_path / "outside.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors is a link that leads out; put the file"):
        folders.name_folder("mine")


OUTSIDE, NONE_THERE = "folders are opened only under", "no checkpoint in"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("../secret", OUTSIDE),
        ("/etc/passwd", OUTSIDE),
        ("nothing", NONE_THERE),
        ("", NONE_THERE),
        ("babi-qa1-10", NONE_THERE),
        ("<b>x</b>", NONE_THERE),
    ],
)
def test_a_folder_that_cannot_be_opened_is_told_in_one_line(root, typed, why):
    page = type_folder(open_page("open", open="Checkpoint folder"), typed)
    assert len(page.error) == 1
    assert why in told(page)


def test_code_in_a_folder_is_never_run(root, tmp_path):
    mark = tmp_path / "mark"
    (root / "mine" / "modeling_evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\n")
    for name in ("config.json", "tokenizer_config.json"):
        config = json.loads((root / "mine" / name).read_text())
        evil = ["modeling_evil.Evil", "modeling_evil.Evil"] if "token" in name else "modeling_evil.Evil"
        config["auto_map"] = {k: evil for k in ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")}
        (root / "mine" / name).write_text(json.dumps(config))
    type_folder(open_page("open", open="Checkpoint folder"), "mine")
    assert not mark.exists()


def test_pickled_weights_are_not_opened(root, tmp_path):
    (root / "mine" / "model.safetensors").unlink()
    (root / "mine" / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(tmp_path / "mark")))
    page = type_folder(open_page("open", open="Checkpoint folder"), "mine")
    assert "no checkpoint in mine" in told(page) or "pickled weights are not opened" in told(page)
    assert not (tmp_path / "mark").exists()


def test_truncated_weights_are_told_without_the_place_of_the_server(root):
    weights = root / "mine" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    page = type_folder(open_page("open", open="Checkpoint folder"), "mine")
    assert "cannot open checkpoint ./mine" in told(page)
    assert str(root) not in told(page)


def test_a_folder_that_changed_is_no_longer_among_the_models(root):
    page = type_folder(open_page("open", open="Checkpoint folder"), "mine")
    page.switch_page("views/story.py").run()
    page.selectbox(key="model").set_value(page.selectbox(key="model").options[-1]).run()
    (root / "mine" / "config.json").write_text((root / "mine" / "config.json").read_text() + " ")
    page.run()
    assert not page.exception
    assert page.selectbox(key="model").value in models.shipped_models()


def test_a_too_large_checkpoint_is_refused(root, monkeypatch):
    monkeypatch.setattr(folders, "MAX_CHECKPOINT_GB", 0.0001)
    with pytest.raises(ValueError, match="this server opens up to 0.0001"):
        folders.name_folder("mine")


def test_a_file_of_stories_is_read_on_the_story_page():
    page = open_page("open", open="Stories")
    file = "1 Mary went to the office.\n2 Where is Mary?\toffice\t1\n"
    file += "1 John went to the garden.\n2 Where is John?\tgarden\t1\n"
    upload(page, file.encode(), "stories.txt", "story_upload")
    page.number_input(key="file_story").set_value(2).run()
    assert page.text[0].value == "John went to the garden."
    assert ("John went to the garden.",) not in stories._own_stories().values()  # looking keeps nothing
    page.button(key="read_story").click().run()
    assert ("John went to the garden.",) in stories._own_stories().values()
    key = stories.remember_story(("John went to the garden.",))
    story = open_page("story", source="Own", own=key)
    assert "▶ 1  John went to the garden." in story.text[0].value


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the story is empty"),
        (b"\xff\xfe\x00broken", "not a text file"),
        (b"1 Where is Mary?\n", "a question needs TAB answer"),
        (b"Mary went.\n" * 2000, "at most 400"),
        (b"word " * 50, "a sentence has 50 words"),
        (pickle.dumps(3), "not a text file"),
    ],
    ids=["empty", "utf16", "babi", "long", "wide", "pickle"],
)
def test_a_file_that_is_no_story_is_told_in_one_line(content, expected):
    page = upload(open_page("open", open="Stories"), content, "stories.txt", "story_upload")
    assert expected in told(page), told(page)
    assert len(page.error) == 1


def test_html_in_a_file_of_stories_is_text():
    page = upload(open_page("open", open="Stories"), b"<img src=x onerror=alert(1)>", "s.txt", "story_upload")
    assert page.text[0].value == "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("view", "title"),
    [
        (SENTENCE, "Who wrote where, block 2"),
        (BANK, "What the sentence changed: after minus before"),
        (READS, "Where the last word looked"),
        (ONE_SLOT, "Input gate of slot 17 at every sentence"),
    ],
)
def test_the_python_on_the_page_makes_the_picture_on_the_page(view, title, tmp_path, monkeypatch):
    page = open_page(
        "open", open="Take away", example=EXAMPLE, step=str(STEP), block="2", slot="17", view=view,
        question="Where is the milk?",
    )  # fmt: skip
    made = run_code(page.code[0].value, tmp_path, monkeypatch)
    np.testing.assert_allclose(made["picture"].figure.data[0].z, drawn(page, title), atol=1e-6)
    assert (tmp_path / "view.html").stat().st_size > 1000


def run_code(code, folder, monkeypatch):
    monkeypatch.chdir(folder)
    made = {}
    exec(compile(code, "view", "exec"), made)
    return made


def test_the_python_of_an_opened_trace_makes_its_picture(data, tmp_path, monkeypatch):
    page = upload(open_page("open", step="3", block="1"), data, "my trace's.safetensors")
    (tmp_path / "my trace's.safetensors").write_bytes(data)
    made = run_code(page.code[0].value, tmp_path, monkeypatch)
    np.testing.assert_allclose(
        made["picture"].figure.data[0].z, drawn(page, f"Who wrote where, block {1}"), atol=1e-6
    )


def test_quotes_in_a_story_do_not_leave_the_text_of_the_python():
    source = story_source("m", ["'); import os; os.abort() #", '"""', "a\\"])
    view_code(source, view=SENTENCE, step=0, block=0, slot=0, question=None)
    call = compile(source, "s", "exec")
    assert {"os", "abort"}.isdisjoint(call.co_names)
    assert "abort" not in compile(file_source("a'); abort(", 0), "s", "exec").co_names


def test_what_is_taken_away_opens_again(trace):
    one = opened.story_of(opened.OpenedTrace("t", trace), 1)
    again = opened._read(opened.trace_file(one), "t.safetensors", Trace.load)
    assert (again.arrays[GATE] == trace.arrays[GATE][1:2]).all()
    assert b"Plotly.newPlot" in opened.report_file(one)
    assert opened.table_file(one).splitlines()[0] == b"sentence,token,word,block,slot,share_times_input_gate"


@pytest.mark.parametrize(
    "query",
    [{"open": "<script>"}, {"step": "999"}, {"open": "Take away", "model": "../../etc"},
     {"open": "Take away", "model": "./@x"}, {"trace_story": "-4"}, {"open": "Take away", "view": "no"}],
)  # fmt: skip
def test_a_link_with_values_out_of_range_still_opens(query):
    open_page("open", **query)
