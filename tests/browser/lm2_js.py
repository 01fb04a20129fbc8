"""An LM2 in a page: its JavaScript modules, a model, and its values beside torch's."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from lm2core import read_stories
from lm2core.babi.tasks import make_stories
from lm2core.babi.text import TextStory
from lm2core.reading.loaded_model import LoadedModel
from lm2core.traces.trace import Trace
from lm2viz.causal.running import run
from lm2viz.stage.weights import model_json
from tests.conftest import ROOT

MODULES = ("lm2", "lm2_blocks", "lm2_edits", "lm2_math", "lm2_tokenizer")
MAX_SENTENCES, FEW_SENTENCES = 12, 6
# The largest difference of each array from the file's, which has every story's segments, then its logits.
COMPARE = """async ({stories, names}) => {
    const file = document.querySelector("input").files[0];
    const worst = {}, answers = [];
    let place = 0;
    const compare = async (values) => {
        const n = Object.values(values).reduce((sum, array) => sum + array.length, 0);
        const expected = new Float32Array(await file.slice(4 * place, 4 * (place + n)).arrayBuffer());
        place += n;
        let from = 0;
        for (const [name, array] of Object.entries(values)) {
            const differences = array.map((value, i) => Math.abs(value - expected[from + i]));
            worst[name] = differences.reduce((one, other) => Math.max(one, other), worst[name] ?? 0);
            from += array.length;
        }
    };
    for (const {sentences, questions} of stories) {
        const {segments} = model.readStory(sentences, [], {record: "all"});
        for (const {bank, hooks} of segments) {
            const missing = Object.keys(hooks).filter((name) => !names.includes(name));
            if (missing.length) throw new Error("not in the trace: " + missing);
            await compare({...Object.fromEntries(names.map((name) => [name, hooks[name]])), bank});
        }
        for (const {text, step} of questions) {
            const {logits} = model.ask(segments[step - 1].bank, model.tokenize(text).ids);
            await compare({logits});
            answers.push(model.word(logits.indexOf(Math.max(...logits))));
        }
    }
    return {worst, answers, bytes_left: file.size - 4 * place};
}"""


def open_modules(page: Page) -> None:
    """A page with the modules as ``lm2``, and a field for a file."""
    imports = {
        name: "data:text/javascript;base64,"
        + base64.b64encode((ROOT / f"lm2viz/stage/{name}.js").read_bytes()).decode()
        for name in MODULES
    }
    page.set_content(
        f'<script type="importmap">{json.dumps({"imports": imports})}</script>'
        '<script type="module">import * as lm2 from "lm2"; window.lm2 = lm2;</script><input type="file">'
    )
    page.wait_for_function("window.lm2")


def open_model(page: Page, lm: LoadedModel) -> None:
    """The model as ``model``, in a page with the modules."""
    page.evaluate("text => { window.model = lm2.openModel(JSON.parse(text)); }", json.dumps(model_json(lm)))


def short_stories(tasks: Sequence[str], n: int, seed: int = 0) -> list[TextStory]:
    """``n`` stories of several tasks, cut where the longest would take most of the time.

    The first of each four keeps ``MAX_SENTENCES``, the others ``FEW_SENTENCES``.
    """
    n_per_task = -(-n // len(tasks))
    stories = [story for task in tasks for story in make_stories(task, n_per_task, seed)][:n]
    kept = [MAX_SENTENCES if i % 4 == 0 else FEW_SENTENCES for i in range(n)]
    return [
        TextStory(story.sentences[:most], tuple(q for q in story.questions if q.n_statements <= most))
        for story, most in zip(stories, kept, strict=True)
    ]


def segment_values(trace: Trace, story: int, segment: int) -> dict[str, np.ndarray]:
    """Every array of one segment, without its padding."""
    n_tokens = len(trace.tokens[story][segment])
    values = {}
    for name, array in trace.arrays.items():
        axes = trace.axes[name][2:]
        at = tuple(slice(n_tokens) if axis in ("token", "source") else slice(None) for axis in axes)
        values[name] = array[story, segment][at]
    return values


def differences(page: Page, lm: LoadedModel, stories: Sequence[TextStory], file: Path) -> dict[str, Any]:
    """Largest differences from torch by name, ``logits`` and ``bank`` among them, and the answers of both."""
    trace = read_stories(lm, stories, names=["*"], budget="2GB")
    result = run(lm, stories)
    with file.open("wb") as out:
        for b, story in enumerate(stories):
            for s in range(len(story.sentences)):
                values = segment_values(trace, b, s)
                for array in (*values.values(), values["hook_bank"]):
                    out.write(np.ascontiguousarray(array, "<f4").tobytes())
            out.write(result.logits[result.story == b].numpy().astype("<f4").tobytes())
    page.locator("input").set_input_files(file)
    told = [
        {
            "sentences": story.sentences,
            "questions": [{"text": q.text, "step": q.n_statements} for q in story.questions],
        }
        for story in stories
    ]
    found = page.evaluate(COMPARE, {"stories": told, "names": list(trace.arrays)})
    return found | {"torch_answers": list(result.words)}


def floats(page: Page, expression: str, argument: Any = None) -> np.ndarray:
    """The values of an array that a function of JavaScript returns, (n,)."""
    return np.array(page.evaluate(f"argument => Array.from(({expression})(argument))", argument))


def error_of(page: Page, expression: str, argument: Any = None) -> str:
    """The message of the error that a function of JavaScript throws; empty if it throws none."""
    return page.evaluate(
        f"argument => {{ try {{ ({expression})(argument); return ''; }} catch (e) {{ return e.message; }} }}",
        argument,
    )
