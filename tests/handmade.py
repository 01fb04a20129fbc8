"""An LM2 whose weights are set by hand, so that what each slot holds is known: the place of one person.

A sentence is ``Mary kitchen``, a question ``where Mary?``. Block 0 copies the person to the words behind it.
Block 1 alone has memory: a place is written, whole, to the slot of the person before it; a question reads the
slot of its person. Nothing else is ever written or read.
"""

from random import Random

import torch
from torch import Tensor

from lm2core.babi.counterfactual import Counterfactual
from lm2core.babi.story import Question, Statement, Story
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import word_tokenizer

SLOT_OF = {"Mary": 3, "John": 0, "Sandra": 2}  # slot 1 and the last one hold nothing
PLACES = ("garden", "hallway", "kitchen", "office")
N_SLOTS, UNUSED, MEMORY_BLOCK = 5, (1, 4), 1
SLOTS, PEOPLE, AT, SAID, SOME = 0, 5, 8, 12, 16  # first dimension of: addresses, people, places, answers; one
WIDTH, SIZE, SHARP = 18, 3.0, 10.0
TOKENIZER = word_tokenizer([*SLOT_OF, *PLACES, "where", "?"])


def handmade_lm() -> LoadedModel:
    """The model and its tokenizer."""
    config = LM2Config(
        vocab_size=len(TOKENIZER),
        hidden_size=WIDTH,
        intermediate_size=7,
        num_hidden_layers=2,
        num_attention_heads=1,
        memory_heads=1,
        memory_slots=N_SLOTS,
        memory_layers=[MEMORY_BLOCK],
        tie_word_embeddings=False,
    )
    model = LM2ForCausalLM(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name:
                weight.zero_()
        _words(model)
        _copy_people(model.model.layers[0].self_attn)
        _memory(model.model.layers[MEMORY_BLOCK].mem)
    return LoadedModel("handmade", model, TOKENIZER)


def _words(model: LM2ForCausalLM) -> None:
    ids = TOKENIZER.get_vocab()
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
    for first, words in ((PEOPLE, list(SLOT_OF)), (AT, PLACES)):
        for i, word in enumerate(words):
            embedding[ids[word.lower()], first + i] = SIZE
    embedding[:, SOME] = SIZE
    for i, place in enumerate(PLACES):
        head[ids[place], SAID + i] = SIZE


def _copy_people(attention: torch.nn.Module) -> None:
    """Every word takes the mean of the people up to it; queries are zero, so attention is even."""
    for i in range(PEOPLE, AT):
        attention.v_proj.weight[i, i] = attention.o_proj.weight[i, i] = 1.0


def _memory(mem: torch.nn.Module) -> None:
    gate_in, keep, content, route = mem.token_proj.weight.split(WIDTH)
    value = mem.bank_proj.weight[WIDTH : 2 * WIDTH]
    places = slice(AT, SAID)
    for i, slot in enumerate(SLOT_OF.values()):
        mem.q_proj.weight[SLOTS + slot, PEOPLE + i] = route[SLOTS + slot, PEOPLE + i] = SHARP
    mem.slot_key.copy_(SHARP * torch.eye(N_SLOTS, WIDTH))
    route[SLOTS + N_SLOTS - 1, SOME] = (
        5 * SHARP
    )  # words that say no place go to the last slot, and write nothing
    route[SLOTS + N_SLOTS - 1, places] = -5 * SHARP
    gate_in[:, SOME] = -2 * SHARP
    gate_in[places, places] = 4 * SHARP  # only places are let in, and only where places stand
    keep[:, SOME], keep[:, places] = 2 * SHARP, -4 * SHARP  # a place takes all the room
    content[places, places] = 2 * SHARP * torch.eye(len(PLACES))
    content[places, SOME] = -SHARP
    value[SAID:SOME, places] = torch.eye(len(PLACES))
    mem.gate_out.bias.fill_(2 * SHARP)


def handmade_story(rng: Random, n_sentences: int = 7) -> Story:
    """People go to places; the last question is about one of them."""
    message = [Statement(rng.choice([*SLOT_OF]), "move", rng.choice(PLACES)) for _ in range(n_sentences)]
    return story_of(message, rng.choice(message).subject)


def story_of(message: list[Statement], question_list: str) -> Story:
    """The story of these moves, and the question where ``asked`` is at its end."""
    support = max(i for i, statement in enumerate(message) if statement.subject == question_list)
    question = Question(f"where {question_list}?", message[support].target, (support,), len(message))
    places: dict[str, str] = {}
    states = []
    for statement in message:
        places = places | {f"place of {statement.subject}": statement.target}
        states.append(places)
    sentences = tuple(f"{statement.subject} {statement.target}" for statement in message)
    return Story("handmade", sentences, tuple(message), tuple(states), (question,), gap="")


def handmade_stories(n: int, *, n_sentences: int = 7, seed: int = 0) -> list[Story]:
    """Several stories."""
    rng = Random(seed)
    return [handmade_story(rng, n_sentences) for _ in range(n)]


def handmade_pair(rng: Random, n_sentences: int = 5) -> Counterfactual:
    """A story and the same with another place in the sentence that answers its question."""
    story = handmade_story(rng, n_sentences)
    (question,), (changed,) = story.questions, story.questions[0].support
    other = rng.choice([place for place in PLACES if place != question.answer])
    message = list(story.statements)
    message[changed] = Statement(message[changed].subject, "move", other)
    edited = story_of(message, message[changed].subject)
    return Counterfactual(
        task="handmade",
        kind="place",
        sentences=story.sentences,
        edited=edited.sentences,
        changed=(changed,),
        question=question.text,
        answer=question.answer,
        edited_answer=other,
        support=question.support,
        edited_support=(changed,),
    )


def place_code(place: str) -> Tensor:
    """What a slot holds of a place, (4,), in the dimensions ``AT`` to ``SAID``."""
    return torch.tensor([1.0 if place == other else -1.0 for other in PLACES])
