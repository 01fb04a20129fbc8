"""The steps of the three stages: each computes a loss, leaves gradients behind, and says what was reached."""

from collections.abc import Callable
from random import Random

import torch
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.training.beside import layout
from lm2core.training.beside.addresses import DROPOUT, AddressStep, address_step
from lm2core.training.beside.contents import FIRST_ID, Contents
from lm2core.training.beside.examples import Examples
from lm2core.training.beside.recipe import BesideRecipe
from lm2core.training.beside.stories import DrawnStory, draw_story, story_step
from lm2core.training.beside.streams import Scale

N_TRIED = 512  # tokens of the vocabulary, to say which share comes back

Metrics = dict[str, float]
Step = Callable[[int], Metrics]  # given its number


def address_stage(
    model: LM2ForCausalLM, examples: Examples, held_out: Examples, recipe: BesideRecipe
) -> Step:
    """Steps of addresses.py; ``unseen_`` metrics are of the test share."""
    masks, rng = layout.address_masks(model), Random(f"addresses {recipe.seed}")

    def step(k: int) -> Metrics:
        got = address_step(model, examples, rng, dropout=DROPOUT)
        got.loss.backward()
        layout.keep_only(model, masks)
        metrics = _of_addresses(got)
        if (k + 1) % recipe.log_every == 0:
            with torch.no_grad():
                unseen = _of_addresses(address_step(model, held_out, rng))
            metrics |= {f"unseen_{name}": value for name, value in unseen.items()}
        return metrics

    return step


def content_stage(
    model: LM2ForCausalLM, examples: Examples, held_out: Examples, scale: Scale, recipe: BesideRecipe
) -> Step:
    """Steps of contents.py; also for any token of the vocabulary, and for places of the test share."""
    masks, contents = layout.content_masks(model), Contents(model, examples, scale)
    places = held_out.targets_RP[held_out.is_asked_RP].unique()

    def step(k: int) -> Metrics:
        loss = contents.loss()
        loss.backward()
        layout.keep_only(model, masks)
        metrics = {"loss": float(loss.detach())}
        if (k + 1) % recipe.log_every == 0:
            some = torch.randint(FIRST_ID, model.config.vocab_size, (N_TRIED,))
            metrics |= {"any_token": contents.accuracy(some), "unseen_places": contents.accuracy(places)}
        return metrics

    return step


def story_stage(model: LM2ForCausalLM, examples: Examples, held_out: Examples, recipe: BesideRecipe) -> Step:
    """Steps of stories.py; ``unseen_`` metrics are of the test share, among all tokens."""
    masks, rng = layout.gate_masks(model), Random(f"stories {recipe.seed}")

    def drawn(of: Examples, n: int, n_sentences: int) -> list[DrawnStory]:
        share, n_questions = recipe.background_share, recipe.n_questions
        return [
            draw_story(of, rng, n_sentences=n_sentences, background=share, n_questions=n_questions)
            for _ in range(n)
        ]

    def step(k: int) -> Metrics:
        n_sentences = rng.randint(2, recipe.most_sentences)
        got = story_step(model, examples, drawn(examples, recipe.n_stories, n_sentences))
        got.loss.backward()
        layout.keep_only(model, masks)
        metrics = {"loss": float(got.loss.detach()), "accuracy": _share(got.is_right_Q)}
        if (k + 1) % recipe.log_every == 0:
            stories = drawn(held_out, 2 * recipe.n_stories, recipe.most_sentences)
            with torch.no_grad():
                unseen = story_step(model, held_out, stories, every_word=True)
            metrics["unseen_accuracy"] = _share(unseen.is_right_Q)
            metrics["unseen_earlier"] = _share(unseen.is_right_Q[unseen.is_earlier_Q])
        return metrics

    return step


def _of_addresses(got: AddressStep) -> Metrics:
    return vars(got) | {"loss": float(got.loss.detach())}


def _share(is_right: Tensor) -> float:
    return float(is_right.float().mean())
