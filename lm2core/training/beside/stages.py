"""The steps of the three stages: each computes a loss, leaves gradients behind, and says what was reached."""

from collections.abc import Callable, Iterator
from random import Random

import torch
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.training.beside import layout
from lm2core.training.beside.addresses import address_step
from lm2core.training.beside.contents import content_accuracy, content_loss
from lm2core.training.beside.examples import Examples
from lm2core.training.beside.recipe import BesideRecipe
from lm2core.training.beside.stories import DrawnStory, draw_story, story_step
from lm2core.training.beside.streams import Scale

Metrics = dict[str, float]
Step = Callable[[int], Metrics]  # given its number


def content_stage(model: LM2ForCausalLM, examples: Examples, scale: Scale) -> Step:
    """Steps of contents.py: only what is stored of a token, and how it is read again, changes."""
    masks = layout.content_masks(model)
    others = [p for p in layout.memory_of(model).parameters() if p not in masks]

    def step(k: int) -> Metrics:
        loss = content_loss(model, examples, scale)
        loss.backward()
        layout.keep_only(masks)
        for p in others:
            p.grad = None
        metrics = {"loss": float(loss)}
        return metrics if k % 100 else metrics | {"any_token": content_accuracy(model, examples, scale)}

    return step


def address_stage(
    model: LM2ForCausalLM, examples: Examples, held_out: Examples, recipe: BesideRecipe
) -> Step:
    """Steps of addresses.py: all but contents changes; ``unseen_`` metrics are of the test share."""
    masks, rng = layout.other_masks(model), Random(f"addresses {recipe.seed}")

    def step(k: int) -> Metrics:
        got = address_step(model, examples, rng)
        got.loss.backward()
        _limit(model, masks)
        metrics = {"loss": float(got.loss), "found": got.found, "written": got.written, "left": got.left}
        if (k + 1) % recipe.log_every == 0:
            with torch.no_grad():
                unseen = address_step(model, held_out, rng)
            metrics |= {
                "unseen_found": unseen.found,
                "unseen_written": unseen.written,
                "unseen_left": unseen.left,
            }
        return metrics

    return step


def story_stage(model: LM2ForCausalLM, examples: Examples, held_out: Examples, recipe: BesideRecipe) -> Step:
    """Steps of stories.py: gates change; ``unseen_`` metrics are of the test share, among all tokens."""
    masks, kept, rng = (
        layout.other_masks(model),
        layout.address_masks(model),
        Random(f"stories {recipe.seed}"),
    )

    def drawn(of: Examples, n: int, n_sentences: int) -> Iterator[DrawnStory]:
        for _ in range(n):
            yield draw_story(
                of, rng, n_sentences=n_sentences, background=recipe.background_share,
                n_questions=recipe.n_questions,
            )  # fmt: skip

    def step(k: int) -> Metrics:
        n_sentences = rng.randint(2, recipe.most_sentences)
        got = story_step(model, examples, list(drawn(examples, recipe.n_stories, n_sentences)))
        got.loss.backward()
        _limit(model, masks, kept)
        metrics = {"loss": float(got.loss), "accuracy": _share(got.is_right_Q)}
        if (k + 1) % recipe.log_every == 0:
            stories = list(drawn(held_out, recipe.n_stories, recipe.most_sentences))
            with torch.no_grad():
                unseen = story_step(model, held_out, stories, every_word=True)
            metrics |= {
                "unseen_accuracy": _share(unseen.is_right_Q),
                "unseen_earlier": _share(unseen.is_right_Q[unseen.is_earlier_Q]),
            }
        return metrics

    return step


def _share(is_right: Tensor) -> float:
    return float(is_right.float().mean())


def _limit(model: LM2ForCausalLM, *masks: layout.Masks) -> None:
    """Remove gradients of weights that stay, and clip the others at norm 1."""
    for mask in masks:
        layout.keep_only(mask)
    torch.nn.utils.clip_grad_norm_(layout.memory_of(model).parameters(), 1.0)
