"""``lm2 app``: the Streamlit app, from any folder."""

import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

import lm2viz
from lm2viz.cli.app_settings import check_settings

PACKAGE = Path(lm2viz.__file__).parent
IN_A_WHEEL = PACKAGE / "_app"  # setup.py puts the app there; in a checkout it stands beside lm2viz


def app_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
) -> None:
    """Open the app in the browser: a story and the memory that reads it, step by step. Stop with Ctrl+C.

    Environment variables limit what visitors can do; docs/DEPLOY.md explains them.

    \b
        LM2_TRAINING=off       nobody can start or resume a training run
        LM2_PATHS=off          nobody can open a folder by its path on the server
        LM2_MAX_RUNS=N         at most N training runs are kept
        LM2_MAX_BYTES=2GB      training runs take at most this much of the disk
        LM2_TOKEN=SECRET       whoever types it can stop and delete all runs
        LM2_CHECKPOINTS=DIR    folders are opened only in here (default: .)
        LM2_RUNS=DIR           training runs are kept here (default: ~/.lm2/runs)
    """
    check_settings()
    root = IN_A_WHEEL if IN_A_WHEEL.is_dir() else PACKAGE.parent
    sys.argv = ["streamlit", "run", str(root / "app" / "main.py"), f"--server.port={port}"]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
