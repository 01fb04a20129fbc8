"""The trace of a story that is read while its memory is edited."""

from collections.abc import Sequence

from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import encode_segments
from lm2core.traces.recording import capture, hooked
from lm2core.traces.trace import Trace
from lm2viz.causal.editing import Intervention, RunContext


def edited_trace(lm: LoadedModel, sentences: Sequence[str], edits: Sequence[Intervention]) -> Trace:
    """All hooks of one story, after the edits; none of them may take content from other stories."""
    (fresh,) = lm.model.new_memory(1).detach()
    context = RunContext(lm.model.config, fresh, fresh[None, None], True, n_steps=len(sentences))
    hooks = [hook for edit in edits for hook in edit.hooks(context)]
    ids, mask = encode_segments(lm.tokenizer, [list(sentences)])
    words = [[lm.tokenizer.tokenize(sentence) for sentence in sentences]]
    with hooked(lm.model, [*hooks, ("hook_bank", context.tick)]):
        return capture(lm.model, ids, mask, tokens=words)
