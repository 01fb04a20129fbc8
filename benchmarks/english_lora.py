"""The Llama of a memory, fine-tuned to answer with the whole story in view: what it takes without a memory.

LoRA adapters on all linear maps are trained for so many minutes of processor time, on stories in the training
share of words and phrasings; each story is followed by questions about everybody in it, and the loss is that
of the answers. Then it is asked what ``english.py`` asks the memory: stories in words and phrasings of the
test share.

    python benchmarks/english_lora.py smollm2-135m-stories --minutes 75 --sentences 10,40
"""

import time
from itertools import islice
from random import Random
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from english import of_whole_text, without_memory
from peft import LoraConfig, get_peft_model
from torch import Tensor

from lm2core.english.lexicon import lexicon
from lm2core.english.phrasings import QUESTIONS
from lm2core.english.sentences import PREPOSITION
from lm2core.english.stories import draw_story, single_questions
from lm2core.evaluation.stories import score
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import LoadedModel

RANK = 16
AT_ONCE = 8  # stories in a step
LONGEST = 12  # sentences of a training story: longer ones leave time for a few steps only


def draw_text(rng: Random) -> tuple[str, list[str], list[str]]:
    """A story, prompts about everybody in it in any order, and their answers."""
    words = lexicon("train")
    story = draw_story("one-fact", rng, words, n_sentences=rng.randint(2, LONGEST))
    places = {s.statement.subject: s.statement.target for s in story.sentences}
    asked = rng.sample(sorted(places), len(places))
    prompts = []
    for person in asked:
        question, opening = QUESTIONS["where-person"][rng.choice(words.phrasings)]
        named = {"person": person, "at": PREPOSITION[places[person]]}
        prompts.append(f"{question} {opening}".format(**named))
    return " ".join(s.text for s in story.sentences), prompts, [places[person] for person in asked]


def encode(lm: LoadedModel, rng: Random) -> tuple[list[int], list[int]]:
    """Ids of a text with its answers, and labels: the answers' tokens and the full stop behind, else -100."""
    text, prompts, answers = draw_text(rng)
    ids: list[int] = lm.tokenizer(text)["input_ids"]
    labels = [-100] * len(ids)
    for prompt, answer in zip(prompts, answers, strict=True):
        asked = lm.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        said = lm.tokenizer(f"{answer}.", add_special_tokens=False)["input_ids"]
        ids += asked + said
        labels += [-100] * len(asked) + said
    return ids, labels


def batch_loss(lm: LoadedModel, rng: Random) -> Tensor:
    """Mean cross entropy (nats) of answers in ``AT_ONCE`` stories."""
    rows = [encode(lm, rng) for _ in range(AT_ONCE)]
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in rows])
    logits = lm.model(ids, (torch.arange(longest) < torch.tensor([[len(r[0])] for r in rows])).long()).logits
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def train(lm: LoadedModel, minutes: float, rate: float, rng: Random) -> int:
    """Train the adapters until the time is up; the rate decays linearly. Returns the number of steps."""
    weights = [p for p in lm.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    began, n_steps = time.process_time(), 0
    while (spent := (time.process_time() - began) / 60) < minutes:
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (n_steps + 1) / 20) * (1 - 0.95 * spent / minutes)
        optimizer.zero_grad(set_to_none=True)
        loss = batch_loss(lm, rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        n_steps += 1
        if n_steps % 10 == 0:
            typer.echo(f"step {n_steps}, {spent:.1f} min: {float(loss.detach()):.3f} nats")
    return n_steps


def main(
    model: Annotated[str, typer.Argument(help="A memory that opens with its Llama.")],
    minutes: float = 75.0,
    rate: float = 5e-4,
    sentences: str = "10,40",
    questions: int = 150,
    seed: int = 0,
) -> None:
    """Train, then print accuracy with its 95 % interval for each length."""
    torch.manual_seed(seed)
    llama = without_memory(load(model))
    adapters = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = LoadedModel(llama.name, get_peft_model(llama.model, adapters), llama.tokenizer)
    n_steps = train(tuned, minutes, rate, Random(f"lora {seed}"))
    merged = LoadedModel(llama.name, tuned.model.merge_and_unload().eval(), llama.tokenizer)
    for length in map(int, sentences.split(",")):
        drawn = single_questions("one-fact", 0, lexicon("test"), n_sentences=length, prompted=True)
        stories = list(islice(drawn, questions))
        got = score(stories, of_whole_text(merged, stories))
        interval = f"{got.low:.1%} to {got.high:.1%}, n = {got.n}"
        typer.echo(f"one-fact {length:>3} LoRA, whole text, {n_steps} steps {got.accuracy:6.1%} ({interval})")


if __name__ == "__main__":
    typer.run(main)
