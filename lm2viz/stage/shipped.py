"""What ships computed for the stage, so that a page that opens need not wait: probes of every shipped model
with whether answers use their slots, and what the first one makes of the example stories.

``python -m lm2viz.stage.shipped`` computes all of it again; tests compare.
"""

import json
from pathlib import Path

from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.checkpoints import load, shipped_models
from lm2core.reading.loaded_model import LoadedModel
from lm2core.traces.fingerprint import fingerprint
from lm2viz.sample.story_sample import StorySample
from lm2viz.stage.examples import PAYLOADS, example_names, example_questions, example_story
from lm2viz.stage.page import probes_for
from lm2viz.stage.slot_probes import PROBES, Json, probes_as_json
from lm2viz.stage.story_payload import story_payload
from lm2viz.stage.weights import model_json

TASKS = ("qa1", "qa2")  # facts of people; facts of people and things
FIRST_SEED = 10_001  # above those that a page can show: no shown story was trained on
N_STORIES, MAX_SENTENCES = 150, 1_500  # whichever is reached first


def sample_of(task: str) -> StorySample:
    """The stories that the probes of a task learn from."""
    return StorySample(task, N_STORIES, FIRST_SEED).up_to(MAX_SENTENCES)


def stage_probes(lm: LoadedModel) -> dict[str, list[Json]]:
    """Probes of a model by task: the shipped ones, else fitted now, which takes about a minute.

    A task whose words the model lacks, or whose facts cannot be probed, has none.
    """
    path = PROBES / f"{lm.name}.json"
    if path.is_file():
        shipped = json.loads(path.read_text())
        if shipped["weights"] == fingerprint(lm.model):
            return dict(shipped["probes"])
    return {task: fitted_probes(lm, task) for task in TASKS}


def fitted_probes(lm: LoadedModel, task: str) -> list[Json]:
    """Probes of one task and whether answers use their slots, found now; none where that is not possible."""
    from lm2viz.causal.slot_use import used_slots
    from lm2viz.probes.reading import fit_fact_probes

    sample = sample_of(task)
    try:
        rows, untrained = (sample.rows(each) for each in sample.model_and_control(lm))
        fitted = fit_fact_probes(rows, untrained=untrained)
        used = used_slots(lm, sample.stories, {fact: probe.slot for fact, probe in fitted.items()})
        return probes_as_json(fitted, used)
    except UserError:  # the model does not know the task's words, or no fact of it can be probed
        return []


def first_page(lm: LoadedModel) -> Json:
    """What ``shipped_payload`` and ``shipped_engine`` read of a model: all but its weights and its probes."""
    probes = stage_probes(lm)
    stories = [example_story(name) for name in example_names()]
    return {
        "model": {name: value for name, value in model_json(lm).items() if name != "tensors"},
        "payloads": [
            story_payload(
                lm, story.sentences, example_questions(story), probes=probes_for(probes, story.sentences)
            )
            for story in stories
        ],
    }


def main() -> None:
    """Fit the probes of every shipped LM2; read the examples with the one that pages begin with."""
    for name in shipped_models():
        lm = load(name)
        if isinstance(lm.model, LM2ForCausalLM):
            probes = {task: fitted_probes(lm, task) for task in TASKS}
            _write(PROBES / f"{name}.json", {"weights": fingerprint(lm.model), "probes": probes})
    first = shipped_models()[0]
    _write(PAYLOADS / f"{first}.json", first_page(load(first)))


def _write(path: Path, values: Json) -> None:
    write_atomically(path, json.dumps(values, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
