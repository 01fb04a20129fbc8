"""``lm2 app``: the Streamlit app, from any folder."""

import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

import lm2viz

PACKAGE = Path(lm2viz.__file__).parent
IN_A_WHEEL = PACKAGE / "_app"  # setup.py puts the app there; in a checkout it stands beside lm2viz


def app_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
) -> None:
    """Open the app in the browser: a story and the memory that reads it, step by step. Stop with Ctrl+C."""
    root = IN_A_WHEEL if IN_A_WHEEL.is_dir() else PACKAGE.parent
    sys.argv = ["streamlit", "run", str(root / "app" / "main.py"), f"--server.port={port}"]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
