"""Record the tensors at hook points of a run into a Trace, within a memory budget."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lm2core.byte_sizes import format_bytes, parse_bytes
from lm2core.errors import UserError
from lm2core.files import atomic_path
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.traces.array_file import ArrayWriter
from lm2core.traces.fingerprint import fingerprint
from lm2core.traces.hooks import hook_names, match_hooks
from lm2core.traces.reductions import WHOLE, Reduction, plan, planned_bytes
from lm2core.traces.trace import Trace, manifest_of

MEMORY_HOOKS = ("mem.*", "hook_bank")


@dataclass(slots=True)
class Recorder:
    """Copies of recorded tensors on the CPU, one per segment, in the order of the run.

    weights : the model's ``fingerprint``
    """

    config: LM2Config
    weights: str
    reduce: Reduction = WHOLE
    steps: dict[str, list[NDArray[np.float32]]] = field(default_factory=lambda: defaultdict(list))

    def trace(self, tokens: list[list[list[str]]], info: Mapping[str, Any]) -> Trace:
        """The recorded tensors as a Trace; every array gets a segment axis after story, even of size 1."""
        known, reduce = hook_names(self.config), self.reduce
        kept = {
            name: [axis for axis in known[name].axes if axis not in reduce.averaged(name, known[name].axes)]
            for name in self.steps
        }
        return Trace(
            arrays={name: np.stack(steps, axis=1) for name, steps in self.steps.items()},
            axes={name: ("story", "segment", *axes) for name, axes in kept.items()},
            tokens=tokens,
            info={"config": self.config.to_diff_dict(), "weights": self.weights, **info},
        )

    def cut_into_segments(self, length: int) -> None:
        """Join arrays recorded token by token, and cut them into segments of ``length`` tokens."""
        known = hook_names(self.config)
        for name, steps in self.steps.items():
            axes = known[name].axes
            if "token" not in axes:
                continue
            axis = 1 + axes.index("token")
            if "source" in axes:  # tokens of the segment so far; later ones have weight zero
                steps = [_padded(step, 1 + axes.index("source"), length) for step in steps]
            text = np.concatenate(steps, axis=axis)
            n_segments = math.ceil(text.shape[axis] / length)
            text = _padded(text, axis, n_segments * length)
            self.steps[name] = np.split(text, n_segments, axis=axis)


def _padded(array: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, size - array.shape[axis])
    return np.pad(array, widths)


@contextmanager
def hooked(model: Any, hooks: Sequence[tuple[str, Callable[..., Tensor | None]]]) -> Iterator[None]:
    """Run ``model`` with ``hooks`` inside the block, in evaluation mode and without gradients.

    The hooks are removed after the block, also after an exception. Compiled code would not call them, so the
    model runs eagerly inside.
    """
    was_training = model.training
    try:
        with (
            torch.no_grad(),
            torch.compiler.set_stance("force_eager"),
            model.eval().hooks(fwd_hooks=list(hooks)),
        ):
            yield
    finally:
        model.train(was_training)


@contextmanager
def recording(model: LM2ForCausalLM, names: Sequence[str], reduce: Reduction = WHOLE) -> Iterator[Recorder]:
    """Record every run of ``model`` inside the block, as ``hooked`` runs it."""
    recorder = Recorder(model.config, fingerprint(model), reduce)
    known = hook_names(model.config)

    def keep(value: Tensor, *, hook: Any) -> None:
        value = reduce.apply(hook.name, known[hook.name].axes, value)
        recorder.steps[hook.name].append(value.detach().to("cpu", torch.float32, copy=True).numpy())

    with hooked(model, [(name, keep) for name in names]):
        yield recorder


def capture(
    model: LM2ForCausalLM,
    segments: Tensor,
    attention_mask: Tensor | None = None,
    *,
    memory: Tensor | None = None,
    names: str | Sequence[str] = MEMORY_HOOKS,
    reduce: Reduction = WHOLE,
    budget: str = "512MB",
    to: str | Path | None = None,
    tokens: list[list[list[str]]] | None = None,
    info: Mapping[str, Any] | None = None,
) -> Trace:
    """Run ``model`` over stories and return a trace of its hook points.

    Parameters
    ----------
    segments : (B,S,T) token ids, as from ``encode_segments``
    attention_mask : (B,S,T), 0 for padding
    memory : (B,N,D), the bank to start from; None: a fresh one
    names : hook names or shell-style patterns, with or without ``blocks.{l}.``; see docs/HOOKS.md
    reduce : what is kept of each tensor; by default all
    budget : largest size of the trace, e.g. "512MB"; checked before the run
    to : file to record to, segment by segment: the trace is then never in memory, and reads from the file
    tokens : words of each segment, for figures; None: the ids
    info : JSON values that describe the run

    Raises
    ------
    UserError
        For an unknown name (with the nearest), nothing to record, a trace larger than the budget or than the
        room on the disk, a reduction to what is not there, and bfloat16 without a file.
    """
    if segments.ndim != 3:
        raise UserError(f"segments must be (B,S,T) token ids, got shape {tuple(segments.shape)}")
    mask = torch.ones_like(segments) if attention_mask is None else attention_mask
    if ((mask != 0).long().diff(dim=-1) > 0).any():
        raise UserError("segments must be right-padded, so that token t of a trace is word t of its segment")
    reduce.check_fits(model.config, segments.shape[-1])
    chosen = _chosen(model, segments.shape, names, budget, reduce)
    words = reduce.words(tokens or _ids_as_words(segments, mask))
    about = {**(info or {}), **reduce.info(model.config, chosen)}
    given = segments.to(model.device), mask.to(model.device), memory
    if to is not None:
        arrays = plan(model.config, segments.shape, chosen, reduce)
        about = {"config": model.config.to_diff_dict(), "weights": fingerprint(model), **about}
        with (
            atomic_path(to) as temporary,
            _writing(temporary, model, arrays, words, about, reduce) as hooks,
            hooked(model, hooks),
        ):
            model(*given)
        return Trace.load(to)
    if reduce.dtype != "float32":
        raise UserError(f"{reduce.dtype} is a type of files, arrays in memory are float32; give a file, to=")
    with recording(model, chosen, reduce) as recorder:
        model(*given)
    return recorder.trace(words, about)


@contextmanager
def _writing(
    path: Path,
    model: LM2ForCausalLM,
    arrays: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]],
    words: list[list[list[str]]],
    info: Mapping[str, Any],
    reduce: Reduction,
) -> Iterator[list[tuple[str, Callable[..., Tensor | None]]]]:
    """Hooks that write what they see to the file; ``arrays`` as ``plan`` gives them."""
    known = hook_names(model.config)
    metadata = manifest_of({name: axes for name, (axes, _) in arrays.items()}, words, info)
    shapes = {name: shape for name, (_, shape) in arrays.items()}
    with ArrayWriter(path, shapes, reduce.dtype, metadata) as file:

        def write(value: Tensor, *, hook: Any) -> None:
            file.append(hook.name, reduce.apply(hook.name, known[hook.name].axes, value))

        yield [(name, write) for name in arrays]


def capture_generation(
    model: LM2ForCausalLM,
    input_ids: Tensor,
    *,
    max_new_tokens: int,
    memory: Tensor | None = None,
    names: str | Sequence[str] = MEMORY_HOOKS,
    budget: str = "512MB",
    **options: Any,
) -> tuple[Tensor, Trace]:
    """Generate from ``input_ids`` (B,T) and record the hook points meanwhile.

    Returns the text (B,T') and the trace of its tokens in segments of ``config.segment_length``. The last
    token is never run, so it is not in the trace; the unfinished segment is written at the end and padded
    with zeros. ``options`` are those of ``generate``.

    Raises
    ------
    UserError
        As ``capture``; for beam search, which reorders texts; for positional routing, which writes row by
        row; and for several texts that may end at different tokens.
    """
    if model.config.routing == "positional":
        raise UserError(
            "positional routing writes the bank row by row; generate first, then capture() the text"
        )
    num_beams = _option(model, options, "num_beams") or 1
    if num_beams != 1:
        raise UserError(f"{num_beams=}: beam search reorders texts and cannot be recorded; use num_beams=1")
    reserved = sorted(
        {"attention_mask", "past_key_values", "return_dict_in_generate", "use_cache"} & set(options)
    )
    if reserved:
        raise UserError(f"a recorded generation sets {', '.join(reserved)} itself; omit it")
    n_texts = len(input_ids) * (_option(model, options, "num_return_sequences") or 1)
    if n_texts > 1 and _option(model, options, "eos_token_id") is not None:
        raise UserError(
            f"{n_texts} texts may end at different tokens, but a trace has one length; record "
            "one text at a time, or without an end: eos_token_id=None"
        )
    n_tokens, length = input_ids.shape[1] + max_new_tokens - 1, model.config.segment_length
    shape = (n_texts, math.ceil(n_tokens / length), length)
    chosen = _chosen(model, shape, names, budget)
    ids = input_ids.to(model.device)
    with recording(model, chosen) as recorder:
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            memory=memory,
            max_new_tokens=max_new_tokens,
            return_dict_in_generate=True,
            use_cache=True,  # a generation config may say otherwise
            **options,
        )
        if out.past_key_values.mask_BJ.shape[1]:
            model.close(out.past_key_values)
    run = out.sequences[:, :-1].cpu()
    recorder.cut_into_segments(length)
    segments = F.pad(run, (0, -run.shape[1] % length), value=-1).unflatten(1, (-1, length))
    words = _ids_as_words(segments, (segments >= 0).long())
    return out.sequences, recorder.trace(words, {})


def _option(model: LM2ForCausalLM, options: Mapping[str, Any], name: str) -> Any:
    """The value ``generate`` will use for ``name``: the option, else the given config's, else the model's."""
    if name in options:
        return options[name]
    given = getattr(options.get("generation_config"), name, None)
    return getattr(model.generation_config, name, None) if given is None else given


def _chosen(
    model: LM2ForCausalLM,
    shape: Sequence[int],
    names: str | Sequence[str],
    budget: str,
    reduce: Reduction = WHOLE,
) -> list[str]:
    """The hook points that ``names`` match, if a trace of them fits the budget."""
    chosen = match_hooks(names, model.config)
    if not chosen:
        raise UserError("no hook point given; the default is names=" + repr(MEMORY_HOOKS))
    if model.config.attention_window and any(name.endswith(".attn.hook_pattern") for name in chosen):
        raise UserError(
            "attn.hook_pattern of a model with an attention_window reaches beyond its segment, which a trace "
            "does not; leave it out, or read it with model.hooks"
        )
    needed, allowed = trace_bytes(model, shape, chosen, reduce), parse_bytes(budget)
    if needed > allowed:
        raise UserError(
            f"the trace would take {format_bytes(needed)}, but the budget is {budget}; "
            "use fewer hooks or stories, reduce them, or raise the budget"
        )
    return chosen


def _ids_as_words(ids_BST: Tensor, mask_BST: Tensor) -> list[list[list[str]]]:
    return [
        [[str(int(i)) for i in ids[keep != 0]] for ids, keep in zip(story, retained, strict=True)]
        for story, retained in zip(ids_BST, mask_BST, strict=True)
    ]


def trace_bytes(
    model: LM2ForCausalLM, shape: Sequence[int], names: Sequence[str], reduction: Reduction = WHOLE
) -> int:
    """Size in bytes of a trace of ``names`` over ids of ``shape`` (B,S,T), known before the run."""
    return planned_bytes(model.config, shape, names, reduction)
