"""What gives a page's numbers without the page: a shell command and Python, to be copied, run and changed.

Of pages that measure many stories. What is read of one story is in ``python_code.py``.
"""

import shlex
from dataclasses import dataclass

import streamlit as st

from app.loaders.folders import place_of
from lm2viz.sample.story_sample import StorySample


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the numbers are had without the page.

    shell : empty where no command measures it
    python : runs as it stands
    """

    shell: str
    python: str


def draw_reproduce(recipe: Recipe) -> None:
    """The recipe, folded up."""
    with st.expander("Reproduce: the same numbers from a terminal or Python", icon=":material/terminal:"):
        if recipe.shell:
            st.code(recipe.shell, language="bash")
        st.code(recipe.python)
        st.caption(
            "Run either where this project is installed, and where a checkpoint of your own can be found."
            + ("" if recipe.shell else " There is no command for this.")
        )


def command(name: str, *arguments: object) -> str:
    """A line for the shell, quoted where that is needed."""
    return shlex.join(["lm2", name, *map(str, arguments)])


def of_probes(model: str, sample: StorySample, *, labels: str = "") -> Recipe:
    """Every slot for every fact. ``labels``: the file of the visitor's own facts."""
    own = f"labels = read_labels({labels!r})\n" if labels else ""
    return Recipe(
        _on_sample("probe", model, sample, *(("--labels", labels) if labels else ())),
        _sample_code(model, sample, "probe", *(["read_labels"] if labels else []))
        + own
        + _rows_code(", labels" if labels else "")
        + "result = probe(rows, untrained=control)\nprint(result.summary())\n",
    )


def of_use(model: str, sample: StorySample) -> Recipe:
    """Whether the answers use what slots hold."""
    return Recipe(
        _on_sample("probe", model, sample),
        "from lm2viz.causal import slot_use\n"
        + _sample_code(model, sample, "probe")
        + _rows_code()
        + "probes = probe(rows, untrained=control)\n"
        f"result = slot_use(lm, probes, sample.stories, seed={sample.seed})\nprint(result.summary())\n",
    )


def of_age(model: str, sample: StorySample, fact: str | None, slot: int | str) -> Recipe:
    """Accuracy by age of a fact, or of all. The command probes the best slot."""
    options = () if fact is None else ("--fact", fact)
    return Recipe(
        _on_sample("probe", model, sample, *options) if slot == "best" else "",
        _sample_code(model, sample, "decay")
        + _rows_code()
        + f"facts, slot = {None if fact is None else [fact]!r}, {slot!r}\n"
        "result = decay(rows, facts=facts, untrained=control, slot=slot)\nprint(result.summary())\n",
    )


def of_one_fact(model: str, sample: StorySample, fact: str, slot: int | str) -> Recipe:
    """One fact from one slot: accuracy, code length, learning curve. The command probes the best slot."""
    alone = f"fact, slot = {fact!r}, {slot!r}\n"
    return Recipe(
        _on_sample("probe", model, sample, "--fact", fact) if slot == "best" else "",
        "from lm2viz.probes.by_fact import probe_slot\n"
        + _sample_code(model, sample, "codelength", "learning_curve")
        + _rows_code()
        + alone
        + "result = probe_slot(rows, control, fact, slot)\n"
        'print(result.estimate("probe"), result.estimate("untrained model"))\n'
        "print(codelength(rows, fact, untrained=control, slot=slot).summary())\n"
        "print(learning_curve(rows, fact, untrained=control, slot=slot).summary())\n",
    )


def of_map(model: str, sample: StorySample, fact: str, slots: tuple[int, ...]) -> Recipe:
    """Slots as points, and how far they fall apart by a fact."""
    is_said = len(slots) > 1 or fact != "slot"  # the command refuses points of one colour
    options = ("--slots", ",".join(map(str, slots)), *(() if fact == "slot" else ("--fact", fact)))
    return Recipe(
        _on_sample("stats", model, sample, *options) if is_said else "",
        _sample_code(model, sample, "map_slots")
        + _rows_code()
        + f"result = map_slots(rows, {fact!r}, slots={slots!r}, untrained=control)\n"
        "print(result.summary())\n",
    )


def of_contexts(model: str, sample: StorySample) -> Recipe:
    """What writes to the slots and reads them."""
    return Recipe(
        _on_sample("slots", model, sample),
        "from lm2viz.slots.strengths import READ_HOOKS, WRITE_HOOKS\n"
        + _sample_code(model, sample, "top_contexts")
        + 'traces = sample.read(lm, (*WRITE_HOOKS, "hook_bank"))\n'
        "result = top_contexts(traces, sample.questions(lm, traces, READ_HOOKS))\nprint(result.summary())\n",
    )


def of_explanations(model: str, sample: StorySample) -> Recipe:
    """Which fact explains each slot."""
    return Recipe(
        _on_sample("slots", model, sample),
        _sample_code(model, sample, "explain_slots")
        + "result = explain_slots(sample.rows(lm))\nprint(result.summary())\n",
    )


def of_matching(first: str, second: str, names: tuple[str, str], sample: StorySample) -> Recipe:
    """Slots of two models, matched."""
    places = place_of(first), place_of(second)
    return Recipe(
        command("match-slots", *places, *_sample_options(sample)),
        "from lm2core import load\nfrom lm2viz import StorySample, match_slots\n\n"
        f"sample = {_sample_call(sample)}\n"
        f"one, other = (sample.rows(load(name)) for name in {places!r})\n"
        f"result = match_slots(one, other, names={names!r})\nprint(result.summary())\n",
    )


def of_effect(model: str, sample: StorySample, edits: str) -> Recipe:
    """What interventions, as JSON, change in the answers to many stories."""
    return Recipe(
        f"echo {shlex.quote(edits)} > edits.json\n"
        + _on_sample("intervene", model, sample, "--edits", "edits.json"),
        "from lm2viz.causal import from_json\n"
        + _sample_code(model, sample, "effect")
        + f"interventions = from_json({edits!r})\n"
        f"result = effect(lm, sample.stories, interventions, seed={sample.seed})\nprint(result.summary())\n",
    )


def of_interchange(
    model: str, sample: StorySample, fact: str, slots: tuple[int, ...], n_donors: int
) -> Recipe:
    """Slots of other stories put in; none: the best one, chosen on other stories."""
    options = ("--slots", ",".join(map(str, slots))) if slots else ()
    return Recipe(
        _on_sample("interchange", model, sample, "--fact", fact, *options, "--donors", n_donors),
        _sample_code(model, sample, "interchange") + f"fact, slots = {fact!r}, {slots or None!r}\n"
        f"result = interchange(lm, sample.stories, fact, slots, n_donors={n_donors}, seed={sample.seed})\n"
        "print(result.summary())\n",
    )


def of_pairs(model: str, task: str, kind: str, n: int, n_placebos: int, seed: int, *, parts: bool) -> Recipe:
    """Pairs with one slot patched, or parts of its write. One pair is too few for the command."""
    measure = "causal_parts" if parts else "causal_map"
    options = ("--task", task, "--kind", kind, "--pairs", n, "--seed", seed, *(["--parts"] if parts else []))
    return Recipe(
        command("causal-map", place_of(model), *options) if n == n_placebos else "",
        "from lm2core import load\n"
        "from lm2core.babi.counterfactual import draw_counterfactuals, sentences_of\n"
        f"from lm2viz import {measure}\n\n"
        f"lm, n_sentences = load({place_of(model)!r}), sentences_of({task!r})\n"
        "pairs, placebos = (\n"
        f"    draw_counterfactuals({task!r}, kind, n, {seed}, n_sentences=n_sentences)\n"
        f"    for kind, n in (({kind!r}, {n}), ('placebo', {n_placebos}))\n"
        ")\n"
        f"result = {measure}(lm, pairs, placebos, seed={seed})\nprint(result.summary())\n",
    )


def of_answers(model: str, sample: StorySample, measure: str) -> Recipe:
    """``measure``: ``attribute_answers`` or ``slot_gradients``, of the answers to many stories."""
    return Recipe(
        _on_sample("attribute", model, sample),
        _sample_code(model, sample, measure)
        + f"result = {measure}(lm, sample.stories, seed={sample.seed})\nprint(result.summary())\n",
    )


def of_comparison(test: str, varied: str) -> Recipe:
    """The table of models that were trained alike."""
    return Recipe(
        "lm2 compare --preset babi-mini --out runs  # trains them all anew: many hours",
        "from lm2viz.compare.architectures import read_comparison\n\n"
        'result = read_comparison("docs/comparison/table.json")\n'
        f"print(result.summary({test!r}))\n"
        f"result.figure({test!r}, {varied!r}).write_html('accuracy.html')\n",
    )


def of_long_text(model: str, task: str, length: str, seed: int, measure: str) -> Recipe:
    """The input gate on facts and on background in one long text."""
    return Recipe(
        "",
        "from lm2core import load, untrained\n"
        "from lm2core.babilong.excerpts import Background\n"
        "from lm2core.babilong.background_text import open_noise\n"
        "from lm2core.babilong.samples import generated_stories, make_samples\n"
        "from lm2core.reading.long_traces import record_sample\n"
        "from lm2viz.stats.noise import gate_contrast\n\n"
        f"lm, task, seed = load({model!r}), {task!r}, {seed}\n"
        'background = Background(open_noise(split="test"), lm.tokenizer)\n'
        "(text,) = make_samples(\n"
        f"    generated_stories(task, seed), background, task=task, length={length!r}, n=1, seed=seed\n"
        ")\n"
        "trained, control = (record_sample(each, text) for each in (lm, untrained(lm, 0)))\n"
        f"result = gate_contrast(trained, control, {measure!r})\nprint(result.summary())\n",
    )


def _sample_call(sample: StorySample) -> str:
    seed = f", seed={sample.seed}" if sample.seed else ""
    return f"StorySample({str(sample.source)!r}, {sample.n}{seed})"


def _sample_options(sample: StorySample) -> tuple[object, ...]:
    return "--task", sample.source, "--stories", sample.n, "--seed", sample.seed


def _on_sample(name: str, model: str, sample: StorySample, *options: object) -> str:
    return command(name, place_of(model), *_sample_options(sample), *options)


def _sample_code(model: str, sample: StorySample, *names: str) -> str:
    """The first lines: imports of lm2viz by name, ``lm`` and ``sample``."""
    return (
        f"from lm2core import load\nfrom lm2viz import {', '.join(['StorySample', *names])}\n\n"
        f"lm, sample = load({place_of(model)!r}), {_sample_call(sample)}\n"
    )


def _rows_code(labels: str = "") -> str:
    return f"rows, control = (sample.rows(each{labels}) for each in sample.model_and_control(lm))\n"
