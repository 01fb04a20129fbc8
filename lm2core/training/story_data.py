"""What a run on stories is trained on: generated stories, or a user's own, which bring their own tasks."""

import warnings
from dataclasses import replace

from transformers import PreTrainedTokenizerBase

from lm2core.babi.vocabulary import babi_words
from lm2core.babilong.background_text import Noise
from lm2core.errors import UserError
from lm2core.text.tokenizer import subword_tokenizer, word_tokenizer
from lm2core.training.batches import StorySource
from lm2core.training.curriculum import Curriculum
from lm2core.training.own_batches import OwnStorySource, own_stages
from lm2core.training.own_stories import OwnStories
from lm2core.training.recipe import Recipe
from lm2core.training.stages import stages_for


def with_own_tasks(recipe: Recipe, own: OwnStories) -> Recipe:
    """The recipe with the files of the stories as tasks; warns of answers that cannot be given."""
    if recipe.noise is not None or recipe.tasks not in (Recipe().tasks, own.tasks):
        raise UserError(
            f"the stories in {own.source} bring their own tasks and have no noise; omit --tasks and --noise"
        )
    n_untrained, n_asked = own.untrained_answers()
    if n_untrained:
        warnings.warn(
            f"{n_untrained} of {n_asked} held-out questions have an answer that no question in training has; "
            "they will count as wrong",
            stacklevel=2,
        )
    return replace(recipe, tasks=own.tasks)


def make_curriculum(recipe: Recipe, own: OwnStories | None) -> Curriculum:
    """The stages of the recipe. Own stories may be too hard to master, so their stages end in any case."""
    if own is None:
        return Curriculum(stages_for(recipe.tasks, noise=recipe.noise is not None), recipe.stage_steps)
    stages = own_stages(own.trained)
    most_steps = recipe.n_steps // (2 * max(1, len(stages) - 1))  # half of all steps are left for the last
    return Curriculum(stages, recipe.stage_steps, most_steps=max(1, most_steps))


def make_source(
    recipe: Recipe, own: OwnStories | None, noise: Noise | None, tokenizer: PreTrainedTokenizerBase
) -> StorySource | OwnStorySource:
    """What draws the batches."""
    if own is not None:
        return OwnStorySource(
            tokenizer,
            own.trained,
            n_stories=recipe.n_stories,
            questions_per_sentence=recipe.questions_per_sentence,
            seed=recipe.seed,
        )
    return StorySource(
        tokenizer,
        n_stories=recipe.n_stories,
        questions_per_sentence=recipe.questions_per_sentence,
        seed=recipe.seed,
        noise=noise,
        segment_length=recipe.segment_length,
    )


def make_tokenizer(recipe: Recipe, own: OwnStories | None, noise: Noise | None) -> PreTrainedTokenizerBase:
    """A tokenizer of the words of own stories or of the tasks, with noise also of subwords of its text."""
    if own is not None:
        return word_tokenizer(own.words())
    words = babi_words(("qa1", *recipe.tasks))  # every curriculum begins with qa1
    if noise is None:
        return word_tokenizer(words)
    return subword_tokenizer(words, noise.sentences, vocab_size=recipe.n_subwords)
