"""The tokenizer of the LM2 in JavaScript beside that of Python."""

import re
from pydoc_data.topics import topics

import pytest

from lm2core import load
from lm2core.babi.vocabulary import WORDS, babi_words
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import check_words, known_words, word_tokenizer
from tests.browser.lm2_js import error_of, open_model, open_modules
from tests.conftest import make_model

MODELS = ("babi-qa1-3", "babi-qa1-10", "babilong-qa1-5")
ODD = [
    *("", "  ", "Where is Mary?", "MARY went\tto the\n\nOffice.", "Mary's", "mary...?!", "?.,", "What? Who"),
    *(
        "milk,football",
        "Milk,Apple , football",
        "milk,",
        ",milk",
        "milk,,apple",
        "apple,football,milk",
        "3,5",
    ),
    *("[PAD] mary [UNK]", "[pad]", "[PAD", "a[UNK]b", "e.g. x_1", '-- (mary) "garden" it\'s', "1,000"),
    *("Zürich café naïve ÉCOLE", "ΟΔΟΣ σς", "İstanbul", "ﬁne ß ẞ", "Ⅷ ⅷ ① ² ½ ٣", "日本語 テスト", "हिन्दी"),
    *("\U0001f469\u200d\U0001f467 ok \U0001f389", "a\u200db a\u200cb a\ufeffb a\u00a0b a\u0085b a\u2028b"),
    *("constructor __proto__ toString", "x" * 100, "x" * 101, "office" * 20),
]
# Every character of the older alphabets, between two letters.
CHARACTERS = [f"a{chr(c)}a" for c in [*range(1, 0x370), *range(0x2000, 0x2100), *range(0x3000, 0x3100)]]


@pytest.fixture
def modules(page):
    open_modules(page)
    return page


def check_same_tokens(page, lm, texts):
    found = page.evaluate("texts => texts.map((text) => model.tokenize(text))", texts)
    ids = lm.tokenizer(texts, add_special_tokens=False)["input_ids"]
    for text, here, expected in zip(texts, found, ids, strict=True):
        assert here["ids"] == expected, text
        assert here["words"] == lm.tokenizer.convert_ids_to_tokens(expected), text


@pytest.mark.parametrize("name", MODELS)
def test_words_and_odd_text_have_the_tokens_of_python(modules, name):
    lm = load(name)
    open_model(modules, lm)
    words = known_words(lm.tokenizer)
    tasks = sorted(babi_words(WORDS))
    capitals = [word.title() for word in tasks]
    check_same_tokens(modules, lm, [*words, *tasks, *capitals, " ".join(words), *ODD, *CHARACTERS])
    assert modules.evaluate("model.knownWords()") == words


@pytest.mark.parametrize("name", MODELS)
def test_pages_of_the_docs_of_python_have_the_tokens_of_python(modules, name):
    lm = load(name)
    open_model(modules, lm)
    check_same_tokens(modules, lm, [topics[name] for name in sorted(topics)[:20]])


@pytest.mark.parametrize("name", MODELS)
def test_unknown_words_are_those_of_python_as_written_in_order(modules, name):
    lm = load(name)
    open_model(modules, lm)
    texts = ["Elvis went to the Garden.", "Graceland's [UNK] elvis Ω", "Ωmega is in Graceland ½.", "Elvis"]
    with pytest.raises(UserError) as error:
        check_words(lm.tokenizer, texts)
    expected = re.fullmatch(r"unknown words: (.*); this model knows: .*", str(error.value))[1]
    assert ", ".join(modules.evaluate("texts => model.unknownWords(texts)", texts)) == expected
    assert modules.evaluate("model.unknownWords(['Mary went to the kitchen.'])") == []


def test_letters_are_lower_cased_one_by_one_as_in_python(modules):
    # JavaScript and Python's str.lower write the last sigma of a word in another way than the first.
    lm = LoadedModel("small", make_model(), word_tokenizer(["οδοσ", "i\u0307"]))
    open_model(modules, lm)
    check_same_tokens(modules, lm, ["ΟΔΟΣ οδος", "İ i I"])
    assert modules.evaluate("model.tokenize('ΟΔΟΣ').words") == ["οδοσ"]


def test_a_story_with_unknown_words_is_refused(modules):
    open_model(modules, load("babi-qa1-3"))
    story = ["Mary went to the garden.", "Elvis left Graceland."]
    assert error_of(modules, "story => model.readStory(story)", story) == "unknown words: Elvis, Graceland"
