"""``lm2 trial``: which slots methods name in models whose slots are known."""

from lm2viz.cli.shared import Image, Out, Seed, prepare, write_result


def trial_command(seed: Seed = 0, out: Out = None, image: Image = None) -> None:
    """Try the methods of this package on models whose slots are known: precision and recall of each.

    A method of your own joins in Python: lm2viz.trial.trial({**METHODS, "mine": mine}).
    """
    prepare(out, image)
    from lm2viz.trial import trial

    write_result("trial", trial(seed=seed), out, image)
