"""Ctrl-C in a training says in one line what was kept and how to go on."""

from lm2core.cli.main import main
from lm2core.training.stories import StoryTrainer
from lm2core.training.text import TextTrainer


def interrupt_at(monkeypatch, trainer: type, n: int) -> None:
    """The ``n``-th step of the next run is interrupted."""
    step, steps = trainer.training_step, iter(range(1, n + 1))

    def training_step(self, *args, **kwargs):
        if next(steps) == n:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(trainer, "training_step", training_step)


def test_an_interrupted_training_names_its_newest_checkpoint_and_goes_on(tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    command = ["train", "--out", str(out), "--tasks", "qa1", "--steps", "3", "--save-every", "1"]
    with monkeypatch.context() as patched:
        interrupt_at(patched, StoryTrainer, 3)
        assert main(command) == 130
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == (
        f"lm2: interrupted; the newest checkpoint is {out / 'checkpoint-2'}; to resume, repeat the command "
        "with --resume"
    )
    assert main([*command, "--resume"]) == 0


def test_a_text_training_interrupted_before_a_checkpoint_says_so(tmp_path, monkeypatch, capsys):
    text, out = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("".join(f"Line {i} of a text that goes on.\n" for i in range(20_000)))
    interrupt_at(monkeypatch, TextTrainer, 1)
    assert main(["train", "--out", str(out), "--text", str(text)]) == 130
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == (
        "lm2: interrupted; no checkpoint was written yet; to start again, choose another folder or delete "
        f"{out}"
    )


def test_one_interrupted_before_it_began_says_so(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("lm2core.training.stories.set_seed", interrupted)
    assert main(["train", "--out", str(tmp_path / "run")]) == 130
    assert "nothing was written yet; repeat the command to start again" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
