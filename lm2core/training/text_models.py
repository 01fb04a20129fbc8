"""The models that recipes for text name, as presets from a laptop to the paper's size."""

from collections.abc import Callable

from lm2core.model.config import LM2Config, base, lm2_1_7b, lm2_2b_content


def text_tiny(*, vocab_size: int) -> LM2Config:
    """A model for own text that learns on a laptop's processor within minutes."""
    return LM2Config(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=384,
        memory_slots=32,
        segment_length=64,
    )


MODELS: dict[str, Callable[..., LM2Config]] = {
    "text-tiny": text_tiny,
    "base": base,
    "lm2-1.7b": lm2_1_7b,
    "lm2-2b-content": lm2_2b_content,
}
