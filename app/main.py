"""Entry of the app: ``lm2 app``, or ``streamlit run app/main.py``. Starts the server; pages are in menu.py.

Its settings are in .streamlit/config.toml beside this file, where Streamlit finds them from any folder.
"""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

import streamlit as st

# Pages import `app`, which an installed lm2 keeps inside lm2viz. First, or another `app` could come before.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def warm_up() -> None:
    """Import what pages need and open the model they begin with: the first visitor waits for less.

    Garbage is not collected meanwhile, and what was imported is kept out of later collections, of which
    Streamlit makes one after every click.
    """
    gc.disable()
    try:
        import_and_open()
        gc.freeze()
    finally:
        gc.enable()


def import_and_open() -> None:
    """The slow part of the first page."""
    import torch

    import app.widgets.pickers  # noqa: F401
    import lm2viz.story.pictures  # noqa: F401
    from app.loaders.models import load_model
    from lm2core.reading.checkpoints import shipped_models

    torch.set_num_threads(1)  # small models answer sooner on one, and visitors leave each other the rest
    for name in shipped_models()[:1]:
        load_model(name)


@asynccontextmanager
async def warmed(_: st.App) -> AsyncIterator[None]:
    """Warm up beside the server, which answers meanwhile."""
    Thread(target=warm_up, daemon=True).start()
    yield


app = st.App("menu.py", lifespan=warmed)
