"""The Python that makes the picture on the page, to copy, run and change."""

from collections.abc import Sequence

from app.panels.story_memory import BANK, ONE_SLOT, READS


def story_source(model: str, sentences: Sequence[str]) -> str:
    """Python that records a story, as ``lm`` and ``trace``. It quotes the sentences."""
    quoted = "\n".join(f"    {sentence!r}," for sentence in sentences)
    return (
        "from lm2core import ask, bank_after, load, read_story\n"
        "\n"
        f"lm = load({model!r})\ntrace = read_story(lm, [\n{quoted}\n])\n"
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
    if view == READS:
        picture = _reads(step, question) if question else ""
    elif view == ONE_SLOT:
        picture = f"picture = pictures.history(trace, slot={slot})\n"
    elif step == 0:
        picture = ""
    elif view == BANK:
        picture = f'picture = pictures.bank(trace, segment={step - 1})["difference"]\n'
    else:
        picture = f"picture = pictures.writes(trace, segment={step - 1}, block={block})\n"
    if not picture:
        return source
    show = 'print(picture.table)\npicture.figure.write_html("view.html")\n'
    return f"from lm2viz.story import pictures\n{source}\n{picture}{show}"


def _reads(step: int, question: str) -> str:
    return (
        f"answer = ask(lm, {question!r}, bank_after(trace, {step}, lm.model))\n"
        "print(answer.words[0], answer.probabilities[0])\n"
        "picture = pictures.reads_of_last_word(answer.trace)\n"
    )
