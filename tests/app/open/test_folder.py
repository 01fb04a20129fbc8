"""A checkpoint folder is opened only from allowed places, and its code is never run."""

import json
import pickle
import shutil

import pytest

from app.loaders import folders, models, stories, traces
from lm2core.reading.checkpoints import SHIPPED
from tests.app.open.opening import EXAMPLE, MODEL, Evil, messages, type_folder
from tests.app.pages import open_page

OUTSIDE, NONE_THERE = "folders are opened only under", "no checkpoint in"


def test_one_user_does_not_see_the_folder_of_another_without_a_link_to_it(root):
    first, second = open_page("open", open="Checkpoint folder"), open_page("open", open="Checkpoint folder")
    type_folder(first, "mine")
    name = folders_shown(first)[0]
    assert name.startswith("./mine@")
    assert folders_shown(second.run()) == []
    theirs = open_page("story", model=name)  # as after a reload, too
    assert theirs.selectbox(key="model").value == name
    assert not theirs.info
    for old in ("./mine@00000000", "run:none@12345678", "./../secret@12345678", "<b>"):
        other = open_page("story", model=old)
        assert f"The model {old} of this link is not here, or has changed" in messages(other)
        assert other.selectbox(key="model").value in models.shipped_models()


def folders_shown(page):
    """Options of the model picker that not everybody has."""
    page.segmented_control(key="open").set_value("Downloads").run()
    shown = [name for name in page.selectbox(key="model").options if name not in models.shipped_models()]
    page.segmented_control(key="open").set_value("Checkpoint folder").run()
    return shown


def test_an_opened_folder_answers_on_the_story_page_as_the_model_it_is(root):
    page = type_folder(open_page("open", open="Checkpoint folder"), "./mine")
    assert "4 blocks" in messages(page)
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
    with pytest.raises(ValueError, match=r"model\.safetensors is a link to a file outside the folder"):
        folders.name_folder("mine")


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
def test_a_folder_that_cannot_be_opened_is_refused_in_one_line(root, typed, why):
    page = type_folder(open_page("open", open="Checkpoint folder"), typed)
    assert len(page.error) == 1
    assert why in messages(page)


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
    assert "no checkpoint in mine" in messages(page) or "pickled weights are not opened" in messages(page)
    assert not (tmp_path / "mark").exists()


def test_truncated_weights_are_refused_without_revealing_the_server_s_path(root):
    weights = root / "mine" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    page = type_folder(open_page("open", open="Checkpoint folder"), "mine")
    assert "cannot open checkpoint ./mine" in messages(page)
    assert str(root) not in messages(page)


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


def test_a_server_without_paths_says_so_and_opens_no_folder_but_runs(root, tmp_path, monkeypatch):
    name = folders.name_folder("mine")
    monkeypatch.setenv("LM2_PATHS", "off")
    page = open_page("open", open="Checkpoint folder")
    assert [info.value for info in page.info] == [folders.PATHS_OFF]
    assert not page.text_input
    for typed in ("mine", "./mine", str(root / "mine")):
        with pytest.raises(ValueError, match="its operator set LM2_PATHS=off"):
            folders.name_folder(typed)
    assert open_page("story", model=name).selectbox(key="model").value in models.shipped_models()
    shutil.copytree(SHIPPED / MODEL, tmp_path / "runs" / "first")
    run = folders.name_folder("run:first")
    assert open_page("story", model=run).selectbox(key="model").value == run
