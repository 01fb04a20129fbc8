"""A curriculum: stages of training data, each ended when it is mastered or after a number of steps."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path

from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.training.batches import Stage

MASTERY = 0.80  # running accuracy every task of a stage must reach
MIN_WEIGHT = 0.02  # of a task without errors, so that it is still asked about
MIN_STEPS = 60  # least optimizer steps of a stage, so that the running accuracy describes it
SMOOTHING = 0.95  # of the running accuracy, which averages over about 20 steps
_DEFAULTS = {f.name: f.default for f in fields(Stage) if f.default is not MISSING}


@dataclass
class Curriculum:
    """Position of a training run in its stages. The running accuracies are fractions in [0, 1].

    stage_steps : optimizer steps of each stage but the last, mastered or not, so that all models see the same
        data; None: a stage ends when it is mastered
    most_steps : without ``stage_steps``, a stage ends after so many steps at the latest; None: it may never
    """

    stages: Sequence[Stage]
    stage_steps: Sequence[int] | None = None
    index: int = 0
    steps_in_stage: int = 0
    accuracy: dict[str, float] = field(default_factory=dict)
    most_steps: int | None = None

    @property
    def stage(self) -> Stage:
        """The current stage."""
        return self.stages[self.index]

    @property
    def weights(self) -> dict[str, float]:
        """How often each task of the stage is asked about, in proportion to its error rate."""
        return {task: max(MIN_WEIGHT, 1 - self.accuracy.get(task, 0.0)) for task in self.stage.tasks}

    def record(self, accuracy: Mapping[str, float]) -> None:
        """Add one step's accuracy per task, and move to the next stage when this one is done."""
        for task, value in accuracy.items():
            smooth = SMOOTHING * self.accuracy.get(task, 0.0) + (1 - SMOOTHING) * value
            self.accuracy[task] = smooth
        self.steps_in_stage += 1
        if self.index + 1 < len(self.stages) and self._is_done():
            self.index += 1
            self.steps_in_stage = 0

    def _is_done(self) -> bool:
        if self.stage_steps is not None:
            return self.steps_in_stage >= self.stage_steps[self.index]
        if self.most_steps is not None and self.steps_in_stage >= self.most_steps:
            return True
        mastered = all(self.accuracy.get(task, 0.0) >= MASTERY for task in self.stage.tasks)
        return mastered and self.steps_in_stage >= MIN_STEPS

    def __post_init__(self) -> None:
        """Refuse a wrong number of stage lengths, and stages without a step."""
        if self.stage_steps is None:
            return
        if len(self.stage_steps) != len(self.stages) - 1 or min(self.stage_steps, default=1) < 1:
            raise UserError(
                f"stage_steps={','.join(map(str, self.stage_steps))} does not fit {len(self.stages)} stages; "
                "give a number of steps, 1 or more, for each stage but the last"
            )

    def save(self, path: Path) -> None:
        """Write the position as JSON."""
        state = {"index": self.index, "steps_in_stage": self.steps_in_stage, "accuracy": self.accuracy}
        state["stage"] = asdict(self.stage)
        write_atomically(path, json.dumps(state))

    def restore(self, path: Path) -> None:
        """Continue from what ``save`` wrote."""
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["index"] >= len(self.stages):
            raise UserError(
                f"{path}: stage {state['index']} of {len(self.stages)}; resume with the original tasks"
            )
        stage = json.loads(json.dumps(asdict(self.stages[state["index"]])))
        # Earlier versions did not record the stage, or lacked a field, which then meant its default.
        was = _DEFAULTS | state.get("stage", stage)
        if was != stage:
            raise UserError(
                f"{path}: stage {state['index']} is {stage}, was {was}; resume with the version that started "
                "the run, or start a new run --from its newest checkpoint"
            )
        self.index, self.steps_in_stage = state["index"], state["steps_in_stage"]
        self.accuracy = state["accuracy"]
