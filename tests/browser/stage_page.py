"""A page with the stage alone: its modules as data: URLs, and a payload made with the shipped model."""

import base64
import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

import lm2viz.stage
from lm2core import load
from lm2viz.probes.reading import fit_fact_probes
from lm2viz.sample.story_sample import StorySample
from lm2viz.stage.modules import style
from lm2viz.stage.slot_probes import probes_as_json
from lm2viz.stage.story_payload import story_payload

STAGE = Path(lm2viz.stage.__file__).parent
STORY = (
    "Mary went to the kitchen.",
    "John moved to the garden.",
    "Daniel journeyed to the office.",
    "Sandra travelled to the bedroom.",
    "Mary went back to the hallway.",
    "John moved to the bathroom.",
    "Sandra went to the garden.",
    "Daniel moved to the kitchen.",
)
QUESTIONS = ("Where is Mary?", "Where is John?")
N_SLOTS = 24  # of the model
N_STORIES = 24  # that probes are fitted on: enough for names, too few for their accuracy

# Notes what it is asked, and answers from a copy of the page's payload: without slot 13 the first question's
# answer is another one, and a block makes slot 8 change more.
ENGINE = """{
  check: (texts) => (texts.join(" ").includes("moon") ? "The model does not know: moon" : null),
  run: async (sentences, questions, edits) => {
    (window.runs ??= []).push({ sentences, questions, edits });
    if (window.fails) throw new Error("The story is too long for this model.");
    const run = structuredClone(window.payload);
    run.edits = edits;
    for (const { kind, slots, step } of edits) {
      if (kind === "clamp_gate") {
        run.steps[step - 1].change[8] += 0.31;
        for (const word of run.steps[step - 1].writes.flat()) slots.forEach((slot) => (word[slot] = 0));
      }
      if (!slots.includes(13)) continue;
      for (const asked of run.questions[0].steps.slice(step)) asked.answers[0] = ["garden", 0.4142];
    }
    return run;
  },
}"""


@cache
def _payload() -> dict[str, Any]:
    lm, sample = load("babi-qa1-10"), StorySample("qa1", N_STORIES, 10_001)
    rows, control = (sample.rows(each) for each in sample.model_and_control(lm))
    probes = probes_as_json(fit_fact_probes(rows, untrained=control), {"place of Mary": True})
    payload: dict[str, Any] = story_payload(lm, STORY, QUESTIONS, probes=probes)
    return payload


def stage_payload() -> dict[str, Any]:
    """The story as the shipped model reads it; a copy of one's own."""
    return copy.deepcopy(_payload())


def imports() -> dict[str, str]:
    """An import map of the stage's modules."""
    return {
        module.stem: "data:text/javascript;base64," + base64.b64encode(module.read_bytes()).decode()
        for module in sorted(STAGE.glob("*.js"))
    }


def open_stage(
    page: Page,
    payload: Any,
    options: str = "{}",
    *,
    css: str = "",
    mount: str = "mount",
    module: str = "stage",
) -> None:
    """Mount the stage; the page has it as ``stage``, and its payload as ``payload``.

    options : a JavaScript object
    mount, module : the function that mounts it, and where it is
    """
    page.set_content(
        f"""<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">
        <style>body {{ margin: 0 }} {style()} {css}</style>
        <script type="importmap">{json.dumps({"imports": imports()})}</script><div id="root"></div>
        <script type="module">
        import {{ {mount} as mount }} from "{module}";
        window.payload = {json.dumps(payload).replace("<", chr(92) + "u003c")};
        window.stage = mount(document.getElementById("root"), window.payload, {options});
        </script>"""
    )
    page.wait_for_function("window.stage")


def settled(page: Page) -> None:
    """Until nothing moves."""
    page.wait_for_function("document.getAnimations().length === 0")
