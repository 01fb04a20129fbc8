"""Text to blocks of ids: streamed, packed without loss, split into shares that do not touch."""

import json
import tracemalloc
from itertools import count, islice
from random import Random

import datasets
import pytest
import torch

from lm2core.text.bpe import END_OF_TEXT, n_ids, open_tokenizer, train_tokenizer
from lm2core.text.corpus import Piece, open_corpus
from lm2core.text.packing import PackedText, Packer, shuffled

BLOCK, EVERY = 7, 3  # ids of a block, pieces of which one is held out
POEM = "the cat sat on the mat\nthe dog lay on the log\n"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([POEM], vocab_size=300)


def packer(tokenizer, corpus, **changes) -> Packer:
    return Packer(
        **{
            "corpus": corpus,
            "tokenizer": tokenizer,
            "block_length": BLOCK,
            "held_out_every": EVERY,
        }
        | changes
    )


def whole_documents(*texts: str):
    return lambda n_chars: (Piece(text, ends_document=True) for text in texts)


def test_a_folder_is_read_in_order_and_line_by_line_where_a_line_is_a_document(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.txt").write_text("second\n\nstill second\n")
    (tmp_path / "a.md").write_text("first")
    (tmp_path / "c.jsonl").write_text('{"text": "third"}\n\n{"id": 4, "text": "fourth"}\n')
    (tmp_path / "d.py").write_text("not read")
    pieces = list(open_corpus(str(tmp_path))(100))
    assert [p.text for p in pieces] == ["first", "second\n\nstill second\n", "third", "fourth"]
    assert all(p.ends_document for p in pieces)
    assert [p.text for p in open_corpus(str(tmp_path / "d.py"))(100)] == ["not read"]  # named itself


@pytest.mark.parametrize("kind", ["txt", "jsonl"])
def test_a_long_document_is_cut_at_the_ends_of_lines_and_nothing_is_lost(tmp_path, kind):
    text = "".join(f"line {i} ends here\n" for i in range(50)) + "x" * 120
    file = tmp_path / f"long.{kind}"
    file.write_text(text if kind == "txt" else json.dumps({"text": text}))
    pieces = list(open_corpus(str(file))(60))
    assert "".join(p.text for p in pieces) == text
    assert all(len(p.text) <= 120 for p in pieces)
    assert all(p.text.endswith("\n") for p in pieces[:10])
    assert [p.ends_document for p in pieces] == [False] * (len(pieces) - 1) + [True]


def test_a_file_is_streamed_not_read_into_memory(tmp_path):
    size = 20_000_000
    (tmp_path / "big.txt").write_text("a line of some words\n" * (size // 21))
    tracemalloc.start()
    n_chars = sum(len(p.text) for p in open_corpus(str(tmp_path))(10_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_chars > 0.99 * size
    assert peak < size / 20


def test_packing_loses_no_token(tokenizer):
    """One pass and what it carries over are the documents of both shares, each with an end of text."""
    documents = [f"the cat {i} sat on the mat" for i in range(11)]
    pack = packer(tokenizer, whole_documents(*documents))
    for held_out in (False, True):
        mine = [d for i, d in enumerate(documents) if (i % EVERY == 0) == held_out]
        remainder: list[int] = []
        blocks = list(pack.blocks(remainder, held_out=held_out))
        assert all(len(block) == BLOCK for block in blocks)
        assert len(remainder) < BLOCK
        ids = sum(blocks, []) + remainder
        assert tokenizer.decode(ids) == END_OF_TEXT.join([*mine, ""])


def test_a_document_that_goes_on_in_the_other_share_is_closed(tokenizer):
    parts = [Piece(word, ends_document=word == "end") for word in ("a", "b", "c", "d", "e", "end")]
    pack = packer(tokenizer, lambda n_chars: iter(parts))  # a and d are held out
    shares = [tokenizer.decode(sum(pack.ids(held_out=h), [])) for h in (True, False)]
    assert shares == [f"a{END_OF_TEXT}d{END_OF_TEXT}", f"bc{END_OF_TEXT}eend{END_OF_TEXT}"]


def test_a_pass_begins_with_what_the_one_before_left(tokenizer):
    pack = packer(tokenizer, whole_documents(*[POEM] * 5))
    one_pass = sum(pack.ids(held_out=False), [])
    n_blocks = 3 * len(one_pass) // BLOCK
    assert len(one_pass) % BLOCK  # or nothing would be carried over
    stream = islice(PackedText(pack, n_shuffle=1, seed=0), n_blocks)
    ids = torch.cat([example["input_ids"] for example in stream])
    assert ids.tolist() == (one_pass * 3)[: len(ids)]


def test_a_text_without_end_is_trained_on_as_it_comes(tokenizer):
    n_read = 0

    def endless(n_chars):
        nonlocal n_read
        for i in count():
            n_read += 1
            yield Piece(f"the cat {i} sat on the mat", ends_document=True)

    stream = iter(PackedText(packer(tokenizer, endless), n_shuffle=4, seed=0))
    assert len(list(islice(stream, 5))) == 5
    assert n_read < 30


def test_blocks_are_shuffled_by_seed_and_pass_each_once(tokenizer):
    pack = packer(tokenizer, whole_documents(*(f"{i:06}" for i in range(60))))  # one document, one block
    in_order = [tuple(block) for block in pack.blocks([])]
    n_blocks = len(in_order)
    assert n_blocks == 40

    def order(seed):
        stream = PackedText(pack, n_shuffle=10, seed=seed)
        return [in_order.index(tuple(x["input_ids"].tolist())) for x in islice(stream, 2 * n_blocks)]

    first, second = order(0)[:n_blocks], order(0)[n_blocks:]
    assert sorted(first) == sorted(second) == list(range(n_blocks))
    assert first != second
    assert order(0) == order(0) != order(1)
    n_neighbours = sum(after == before + 1 for before, after in zip(first, first[1:], strict=False))
    assert n_neighbours < n_blocks / 4  # in the middle too, not at the end alone


def test_shuffling_holds_no_more_than_it_says():
    drawn = []
    for n_out, item in enumerate(shuffled(map(lambda i: drawn.append(i) or i, range(100)), 8, Random(0))):
        assert len(drawn) - n_out <= 8
        assert item in drawn


def test_held_out_text_shorter_than_a_block_is_one_short_block(tokenizer):
    (example,) = packer(tokenizer, whole_documents("a", *[POEM] * 2)).held_out_blocks(5)
    assert tokenizer.decode(example["input_ids"]) == f"a{END_OF_TEXT}"
    longer = packer(tokenizer, whole_documents(*[POEM] * 9))
    assert [len(x["input_ids"]) for x in longer.held_out_blocks(2)] == [BLOCK] * 2


def test_too_little_text_is_said_with_what_there_is(tokenizer):
    with pytest.raises(
        ValueError, match="too little text: 2 tokens for training and 3 held out, but a block needs 7"
    ):
        packer(tokenizer, whole_documents("\x00\x01", "\x02")).check_enough()
    packer(tokenizer, whole_documents("a", POEM)).check_enough()


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("bad.txt", b"caf\xe9 and more", r"bad.txt is not UTF-8 text .*; convert or remove it"),
        (
            "bad.jsonl",
            b'{"text": "a"}\n{"body": "b"}',
            r"bad.jsonl, line 2: expected an object with a string",
        ),
        ("bad.jsonl", b"plain text", r"bad.jsonl, line 1: expected an object with a string"),
        ("bad.jsonl", b'"text"', r"bad.jsonl, line 1: expected an object with a string"),
        ("bad.py", b"x = 1", r"has no text files; give a file, or a folder with .txt, .md, .jsonl files"),
    ],
)
def test_a_file_that_is_no_text_is_named(tmp_path, name, content, error):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=error):
        list(open_corpus(str(tmp_path))(100))


def test_a_file_that_is_gone_when_it_is_read_is_named(tmp_path):
    (tmp_path / "gone.txt").write_text(POEM)
    corpus = open_corpus(str(tmp_path))
    (tmp_path / "gone.txt").unlink()
    with pytest.raises(ValueError, match="cannot read .*gone.txt: No such file or directory; restore"):
        list(corpus(100))


def test_a_hub_that_is_lost_while_reading_is_told_in_one_line(monkeypatch):
    def rows():
        yield {"text": "row"}
        raise ConnectionError("Read timed out\nand more")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows())
    pieces = open_corpus("owner/name")(100)
    assert next(pieces).text == "row"
    with pytest.raises(
        ValueError, match="cannot read owner/name from the hub: Read timed out; try"
    ) as expected:
        next(pieces)
    assert "\n" not in str(expected.value)


@pytest.mark.parametrize("source", ["", "none.txt", "/no/such/folder", "./none", "word", "a/b.txt", "a/b/c"])
def test_what_is_no_path_and_no_data_set_is_told_without_asking_the_hub(source, monkeypatch):
    monkeypatch.delattr(datasets, "load_dataset")
    with pytest.raises(
        ValueError, match="no text at .*; give a file, or a folder with .* or the id of a hub"
    ):
        open_corpus(source)


def test_a_hub_that_cannot_be_reached_names_the_local_way(monkeypatch):
    def offline(*_, **__):
        raise ConnectionError("Couldn't reach 'owner/name' on the Hub (OfflineModeIsEnabled)\nand more")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(
        ValueError, match="Couldn't reach 'owner/name'.*; give a file, or a folder"
    ) as expected:
        open_corpus("owner/name")
    assert "\n" not in str(expected.value)


def test_a_data_set_of_the_hub_is_streamed(tmp_path, monkeypatch):
    """The library's own streaming, over a local file in the place of the hub's."""
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"id": {i}, "text": "row {i}"}}\n' for i in range(4)))
    questions = []

    def from_file(name, configuration, **options):
        questions.append((name, configuration, options))
        return real("json", data_files=str(tmp_path / "rows.jsonl"), **options)

    real = datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", from_file)
    corpus = open_corpus("owner/name:part")
    for _ in range(2):  # a second pass begins anew
        assert list(corpus(100)) == [Piece(f"row {i}", ends_document=True) for i in range(4)]
    assert questions == [("owner/name", "part", {"split": "train", "streaming": True})]
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "body": "x"}\n')
    with pytest.raises(ValueError, match="owner/name has no column 'text', only: id, body; give a file"):
        list(open_corpus("owner/name")(100))


@pytest.mark.parametrize("text", [POEM, "Grüße, 世界 \U0001f600\n\n\t x", "  two  spaces \r\n"])
def test_a_trained_tokenizer_gives_back_any_text(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert n_ids(tokenizer) <= 300
    assert tokenizer.eos_token_id == tokenizer(END_OF_TEXT)["input_ids"][0]


def test_a_tokenizer_opens_with_or_without_an_end_of_text_and_else_the_caller_says_what_to_do(
    tokenizer, tmp_path
):
    for end in (tokenizer.eos_token, None):
        tokenizer.save_pretrained(tmp_path / "good")
        settings = json.loads((tmp_path / "good" / "tokenizer_config.json").read_text())
        (tmp_path / "good" / "tokenizer_config.json").write_text(json.dumps(settings | {"eos_token": end}))
        opened = open_tokenizer(str(tmp_path / "good"))
        assert (opened.eos_token, n_ids(opened)) == (end, n_ids(tokenizer))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="cannot open tokenizer .*; give a folder or a Hugging Face id$"):
        open_tokenizer(str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="cannot open tokenizer .*; ask a friend$"):
        open_tokenizer(str(tmp_path / "empty"), advice="ask a friend")
