"""Entry point: ``lm2 app`` or ``streamlit run app/main.py``. Starts the server; menu.py lists the pages.

Its settings are in .streamlit/config.toml next to this file, where Streamlit finds them from any folder.
"""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware

# Pages import `app`, which an installed lm2 keeps inside lm2viz. First, or another `app` could come before.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.visitor_cookie import VisitorCookie  # noqa: E402


def warm_up() -> None:
    """Import what the pages need and open the first model, so that the first user waits less.

    Garbage collection is off meanwhile, and what was imported is frozen: Streamlit collects after every
    click, and need not look at it again.
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

    import app.loaders.stage  # noqa: F401
    import app.widgets.pickers  # noqa: F401
    import app.widgets.stage  # noqa: F401
    import lm2viz.story.pictures  # noqa: F401
    from app.loaders.models import load_model
    from lm2core.reading.checkpoints import shipped_models

    torch.set_num_threads(1)  # small models are faster on one thread, and other users need the other cores
    for name in shipped_models()[:1]:
        load_model(name)


@asynccontextmanager
async def warmed(_: st.App) -> AsyncIterator[None]:
    """Warm up in a thread; the server already answers."""
    Thread(target=warm_up, daemon=True).start()
    yield


app = st.App("menu.py", lifespan=warmed, middleware=[Middleware(VisitorCookie)])
