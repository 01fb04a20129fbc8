"""Probes of the shipped models, fitted once: a page that opens need not wait for them.

``python -m lm2viz.stage.shipped`` fits them again; a test compares.
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
from lm2viz.stage.slot_probes import Json, probes_as_json

TASKS = ("qa1", "qa2")  # facts of people; facts of people and things
FIRST_SEED = 10_001  # above those that a page can show: no shown story was trained on
N_STORIES, MAX_SENTENCES = 150, 1_500  # whichever is reached first
FOLDER = Path(__file__).parent / "probes"


def sample_of(task: str) -> StorySample:
    """The stories that the probes of a task learn from."""
    return StorySample(task, N_STORIES, FIRST_SEED).up_to(MAX_SENTENCES)


def stage_probes(lm: LoadedModel) -> dict[str, list[Json]]:
    """Probes of a model by task: the shipped ones, else fitted now, which takes about a minute.

    A task whose words the model lacks, or whose facts cannot be probed, has none.
    """
    path = FOLDER / f"{lm.name}.json"
    if path.is_file():
        shipped = json.loads(path.read_text())
        if shipped["weights"] == fingerprint(lm.model):
            return dict(shipped["probes"])
    return {task: fitted_probes(lm, task) for task in TASKS}


def fitted_probes(lm: LoadedModel, task: str) -> list[Json]:
    """Probes of one task, fitted now; none where that is not possible."""
    from lm2viz.probes.reading import fit_fact_probes

    sample = sample_of(task)
    try:
        rows, untrained = (sample.rows(each) for each in sample.model_and_control(lm))
        return probes_as_json(fit_fact_probes(rows, untrained=untrained))
    except UserError:  # the model does not know the task's words, or no fact of it can be probed
        return []


def main() -> None:
    """Fit the probes of every shipped LM2."""
    for name in shipped_models():
        lm = load(name)
        if isinstance(lm.model, LM2ForCausalLM):
            probes = {task: fitted_probes(lm, task) for task in TASKS}
            text = json.dumps({"weights": fingerprint(lm.model), "probes": probes}, separators=(",", ":"))
            write_atomically(FOLDER / f"{name}.json", text + "\n")


if __name__ == "__main__":
    main()
