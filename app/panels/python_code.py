"""The Python that makes a page's picture of one story: written out, to be copy, run and change."""

import shlex
from collections.abc import Sequence

from app.loaders.folders import place_of
from app.panels.reproduce import Recipe, command
from app.panels.story_memory import BANK, ONE_SLOT, READS, SENTENCE
from lm2core.babi.story import Question
from lm2viz.causal.gate_edit import GateEdit
from lm2viz.sample.story_sample import StorySample


def story_source(model: str, sentences: Sequence[str]) -> str:
    """Python that records a story, as ``lm`` and ``trace``. It quotes the sentences."""
    return (
        "from lm2core import ask, bank_after, load, read_story\n"
        "\n"
        f"lm = load({model!r})\ntrace = read_story(lm, [\n{_quoted(sentences)}\n])\n"
    )


def file_source(file_name: str, story: int) -> str:
    """Python that opens one story of a trace file, as ``trace``."""
    return (
        "from lm2core import Trace\nfrom lm2viz.story.from_file import select_story\n\n"
        f"trace = select_story(Trace.load({file_name!r}), {story})\n"
    )


def view_code(source: str, *, view: str, step: int, block: int, slot: int, question: str | None) -> str:
    """Python that makes the first picture of a view from ``source``; where there is none, the source alone.

    view : as chosen in the memory panel
    question : what was asked, where the view shows what it read
    """
    if view != READS:
        return source + picture_code(view=view, step=step, block=block, slot=slot)
    if not question:
        return source
    asked = (
        f"answer = ask(lm, {question!r}, bank_after(trace, {step}, lm.model))\n"
        "print(answer.words[0], answer.probabilities[0])\n"
    )
    return source + asked + picture_code(view=view, step=step, block=block, slot=slot)


def picture_code(*, view: str, step: int, block: int, slot: int) -> str:
    """Python that makes the first picture of a view from ``trace`` and ``answer``; nothing without one."""
    if view == READS:
        picture = "pictures.reads_of_last_word(answer.trace)"
    elif view == ONE_SLOT:
        picture = f"pictures.history(trace, slot={slot})"
    elif view == BANK and step:
        picture = f'pictures.bank(trace, segment={step - 1})["difference"]'
    elif view == SENTENCE and step:
        picture = f"pictures.writes(trace, segment={step - 1}, block={block})"
    else:
        return ""
    return (
        "\nfrom lm2viz.story import pictures\n\n"
        f"picture = {picture}\nprint(picture.table)\npicture.figure.write_html('view.html')\n"
    )


def of_story(
    model: str, sentences: Sequence[str], step: int, question: str, code: str = "", *, measure: str = "ask"
) -> Recipe:
    """The answer after ``step`` sentences, and what else a page says of the story then.

    code : Python that goes on from ``lm``, ``trace``, ``question``, ``step`` and ``answer``
    measure : the command
    """
    place = place_of(model)
    return Recipe(
        _told(sentences[:step]) + command(measure, place, "--story", "story.txt", "--question", question)
        if step
        else "",
        f"{story_source(place, sentences)}question, step = {question!r}, {step}\n"
        "answer = ask(lm, question, bank_after(trace, step, lm.model))\n"
        f"print(answer.words[0], answer.probabilities[0])\n{code}",
    )


def of_answers_by_step(models: Sequence[str], sentences: Sequence[str], question: str) -> Recipe:
    """What several models answer after every sentence. The command asks at the end."""
    places = tuple(place_of(model) for model in models)
    asks = (command("ask", place, "--story", "story.txt", "--question", question) for place in places)
    return Recipe(
        _told(sentences) + "\n".join(asks),
        "from lm2core import load\nfrom lm2core.reading.answers import answers_by_step\n\n"
        f"sentences = [\n{_quoted(sentences)}\n]\n"
        f"for name in {places!r}:\n"
        f"    print(name, answers_by_step(load(name, baselines=True), sentences, {question!r}))\n",
    )


def of_facts(model: str, sentences: Sequence[str], step: int, sample: StorySample) -> Recipe:
    """What probes that learn from ``sample`` read of each fact after ``step`` sentences."""
    return Recipe(
        "",
        f"{story_source(place_of(model), sentences)}\n"
        "from lm2viz import StorySample\nfrom lm2viz.causal.slot_use import used_slots\n"
        "from lm2viz.probes.reading import fit_fact_probes\n\n"
        f"sample = StorySample({sample.source!r}, {sample.n}, seed={sample.seed})\n"
        "rows, control = (sample.rows(each) for each in sample.model_and_control(lm))\n"
        "result = fit_fact_probes(rows, untrained=control)\n"
        "slots = {fact: probe.slot for fact, probe in result.items()}\n"
        "used = used_slots(lm, sample.stories, slots)\n"
        f"bank = trace.select('hook_bank', story=0, segment={step - 1})\n"
        "for fact, probe in result.items():\n"
        "    print(fact, *probe.decode(bank), probe.slot, used.get(fact), probe.accuracy())\n",
    )


def sources_code(support: Sequence[int]) -> str:
    """Which sentences the answer came from, after ``of_story``."""
    return (
        "\nfrom lm2core.babi.story import Question\n"
        "from lm2core.reading.story_traces import single_question_trace\n"
        "from lm2viz.causal import answers_without_sentences\n"
        "from lm2viz.provenance.sources import sources_of\n\n"
        "sentences = trace.info['stories'][0]['sentences'][:step]\n"
        "asked = [Question(question, '', (), step)]\n"
        "((_, without),) = answers_without_sentences(lm, sentences, asked)\n"
        f"question_trace = single_question_trace(answer, step, support={tuple(support)!r})\n"
        "result = sources_of(trace, question_trace, without)\nprint(result.summary())\n"
    )


def slot_words_code() -> str:
    """What each slot makes the question say, after ``of_story``."""
    return (
        "\nfrom lm2viz import slot_lens\n\n"
        "result = slot_lens(lm, trace, question, n_sentences=step)\nprint(result.summary())\n"
    )


def distances_code(other: int) -> str:
    """How far the question's read moved since ``other`` sentences, after ``of_story``."""
    return (
        "\nfrom lm2viz.story.read_shift import distances_of_answer\n\n"
        f"before = ask(lm, question, bank_after(trace, {other}, lm.model))\n"
        "result = distances_of_answer(before.trace, answer.trace)  # (block, head), in [0, 1]\n"
        "print(before.words[0], before.probabilities[0], result)\n"
    )


def update_code(sentence: int, block: int, slot: int, gate_edit: GateEdit | None) -> str:
    """The numbers of a slot's update by a sentence, after ``of_story``; with gates moved, the answer then."""
    code = (
        "\nfrom lm2viz.story.gated_update import slot_update\n\n"
        f"result = slot_update(trace, {sentence - 1}, block={block}, slot={slot})\n"
        "print(result.before, result.keep, result.write, result.after)  # by dimension\n"
    )
    if gate_edit is None:
        return code
    return code + (
        "\nfrom lm2viz.causal.gate_edit import GateEdit, read_with_gate_edit\n\n"
        f"edit = {gate_edit!r}\n"
        f"sentences = trace.info['stories'][0]['sentences'][{sentence - 1} : step]\n"
        f"before = bank_after(trace, {sentence - 1}, lm.model)\n"
        "edited = ask(lm, question, read_with_gate_edit(lm, sentences, before, edit).bank)\n"
        "print(edited.words[0], edited.probabilities[0])\n"
    )


def story_effect_code(edits: str, reference: StorySample, questions: Sequence[Question]) -> str:
    """What interventions do to the answers of a story, after ``of_story``.

    reference : other stories, for interventions that take contents from them
    questions : the story's own; none: the one that is asked
    """
    story_code = f"TextStory(sentences, {tuple(questions)!r})"
    return (
        "\nfrom lm2core.babi.story import Question\nfrom lm2core.babi.text import TextStory\n"
        "from lm2viz import StorySample\nfrom lm2viz.causal import from_json, run\n"
        "from lm2viz.causal.on_story import story_effect, story_with_question\n\n"
        "sentences = tuple(trace.info['stories'][0]['sentences'])\n"
        f"story = {story_code if questions else 'story_with_question(lm, sentences, question)'}\n"
        f"others = StorySample({reference.source!r}, {reference.n}, seed={reference.seed}).stories\n"
        f"edits = from_json({edits!r})\n"
        "result = story_effect(lm, story, edits, reference=run(lm, others).banks)\n"
        "print(*result.answers, sep='\\n')\n"
    )


def _told(sentences: Sequence[str]) -> str:
    """A line for the shell that writes the story to a file."""
    return f"printf '%s\\n' {' '.join(map(shlex.quote, sentences))} > story.txt\n"


def _quoted(sentences: Sequence[str]) -> str:
    return "\n".join(f"    {sentence!r}," for sentence in sentences)
