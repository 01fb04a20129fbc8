"""Background text for long samples: plain sentences, one share for training and one for testing.

Source: Kuratov et al. 2024, arXiv:2406.10149, who use books of PG-19. Differs: any text will do, by default
Python's own reference pages; sentences are split by a rule instead of Punkt, and their minimum length is
counted in words and punctuation marks, so that models with different tokenizers read the same ones.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lm2core.errors import UserError
from lm2core.text.corpus import open_corpus

# The source that is always available: text that comes with every Python. Its reference pages are the test
# share; the docstrings of its standard library, about five times as much, are the training share.
PYTHON = "python"
SPLITS = ("train", "test")
TEST_SHARE = 0.5  # of the documents of any other source
DOCUMENT_CHARS = 50_000  # a longer document is split into parts of about this many characters
MOST_CHARS = 10_000_000  # kept of a share, from the beginning of the text; about 2 million tokens
MIN_TOKENS = 10  # words and punctuation marks; shorter sentences are left out, as published
MOST_SIGNS = 0.05  # of a sentence's characters: with more signs rare in prose, it is code or a table

_PARAGRAPH = re.compile(r"\n\s*\n")
_HYPHEN = re.compile(r"(?<=\w-)\n\s*")  # at the end of a line
_OPEN, _CLOSE, _CAPITAL = r"[\"'(\[“‘]", r"[\"')\]”’]", r"[^\W\d_a-z]"
_ABBREVIATIONS = ("Mr", "Mrs", "Dr", "St", "vs", r"e\.g", r"i\.e", "[A-Z]")
_BORDER = re.compile(
    rf"(?:(?<=[.!?])|(?<=[.!?]{_CLOSE}))"
    + "".join(rf"(?<!\b{word}\.)" for word in _ABBREVIATIONS)
    + rf"\s+(?={_OPEN}?{_CAPITAL})"
)
_SENTENCE = re.compile(rf"{_OPEN}?{_CAPITAL}.*[.!?]{_CLOSE}*")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SIGN = re.compile(r"[^\w\s,.;:!?'’-]")

_HEADING = re.compile(r"^.+\n([*=\-~^])\1{2,}\n", re.MULTILINE)
_CODE = re.compile(r"::=|>>>|-{4}|^\s*\.\.\.|^\s*[+|].*[+|]$", re.MULTILINE)
_MARKUP = re.compile(  # "code", **strong**, *emphasis*, [note], and the mark of a list's item
    r'"([^"]*)"|\*\*([^*\n]+)\*\*|\*([^*\n]+)\*|\s*\[\d+\]|^\s*(?:\*|\d+\.) +', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Noise:
    """Sentences of one share of a text, in order.

    source : the text
    split : "train" or "test"
    """

    source: str
    split: str
    sentences: Sequence[str]

    def from_anywhere(self, rng: Random) -> Iterator[str]:
        """Every sentence once, from a random one on; the first sentence follows the last."""
        start, n = rng.randrange(len(self.sentences)), len(self.sentences)
        return (self.sentences[(start + i) % n] for i in range(n))


def open_noise(source: str = PYTHON, *, split: str, most_chars: int = MOST_CHARS) -> Noise:
    """The sentences of one share of ``source``.

    A document belongs to one share as a whole. Which one depends on its first characters only, so a text that
    grows or is copied keeps its shares. A document longer than ``DOCUMENT_CHARS`` is split into parts, which
    count as documents. Repeated sentences are dropped, so none is in both shares.

    Parameters
    ----------
    source : str
        ``PYTHON``, or what ``open_corpus`` reads: a file, a folder, or the id of a hub data set.
    split : "train" or "test"
    most_chars : int
        Reading stops once the share has this many characters.

    Raises
    ------
    UserError
        As ``open_corpus``; when the share has no sentence.
    """
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r} of the noise; known: {', '.join(SPLITS)}")
    sentences: list[str] = []
    seen: set[int] = set()  # a sentence of several documents belongs to the share of the first one only
    n_documents = n_chars = 0
    for share, text in _documents(source, split):
        n_documents += 1
        new = {hash(sentence): sentence for sentence in prose(text) if hash(sentence) not in seen}
        seen |= new.keys()
        if share == split:
            sentences += new.values()
            n_chars += sum(map(len, new.values()))
            if n_chars >= most_chars:
                break
    if not sentences:
        raise UserError(
            f"no noise in the {split} share of {source}: none of its {n_documents} documents in this share "
            f"has a sentence of {MIN_TOKENS} words; give more text"
        )
    return Noise(source, split, sentences)


def prose(text: str) -> Iterator[str]:
    """The sentences of a text of at least ``MIN_TOKENS``; no headings, code, tables or fragments."""
    for paragraph in _PARAGRAPH.split(text):
        for sentence in _BORDER.split(" ".join(_HYPHEN.sub("", paragraph).split())):
            if (
                _SENTENCE.fullmatch(sentence)
                and len(_TOKEN.findall(sentence)) >= MIN_TOKENS
                and len(_SIGN.findall(sentence)) <= MOST_SIGNS * len(sentence)
            ):
                yield sentence


def _documents(source: str, split: str) -> Iterator[tuple[str, str]]:
    """The share and the text of each document; of ``PYTHON`` only what ``split`` needs."""
    if source != PYTHON:
        for piece in open_corpus(source)(DOCUMENT_CHARS):
            if piece.text.strip():
                yield ("test" if _place(piece.text) < TEST_SHARE else "train"), piece.text
        return
    from pydoc_data.topics import topics

    yield from (("test", _plain(topics[name])) for name in sorted(topics))
    if split == "train":  # after the pages, so that sentences of both stay in the test share
        yield from (("train", _plain(text)) for text in _docstrings())


def _place(document: str) -> float:
    """A number in [0, 1) that depends on the first characters of a document."""
    return Random(document.strip()[:200]).random()


def _plain(text: str) -> str:
    """Documentation without headings, markup and code."""
    paragraphs = _PARAGRAPH.split(_HEADING.sub("\n", text))
    return "\n\n".join(_MARKUP.sub(_strip_markup, p) for p in paragraphs if not _CODE.search(p))


def _strip_markup(match: re.Match[str]) -> str:
    """The text inside the markup."""
    return next(filter(None, match.groups()), "")


def _docstrings() -> Iterator[str]:
    """Docstrings of the standard library's modules, classes and functions, file by file."""
    folder = Path(ast.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        if {"site-packages", "test", "tests"} & set(file.parts):
            continue
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):  # some files are broken on purpose
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield ast.get_docstring(node) or ""
