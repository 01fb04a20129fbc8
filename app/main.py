"""Entry of the app: ``streamlit run app/main.py``. Starts the server; what is shown is in menu.py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread

import streamlit as st


def warm_up() -> None:
    """Import what pages need and open the model they begin with: the first visitor waits for less."""
    from app.loaders.models import load_model
    from lm2core.checkpoints import shipped_models

    for name in shipped_models()[:1]:
        load_model(name)


@asynccontextmanager
async def warmed(_: st.App) -> AsyncIterator[None]:
    """Warm up beside the server, which answers meanwhile."""
    Thread(target=warm_up, daemon=True).start()
    yield


app = st.App("menu.py", lifespan=warmed)
