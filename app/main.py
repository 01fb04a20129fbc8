"""Entry point: ``lm2 app`` or ``streamlit run app/main.py``. Starts the server; menu.py lists the pages.

Its settings are in .streamlit/config.toml next to this file, where Streamlit finds them from any folder.
"""

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


@asynccontextmanager
async def warmed(_: st.App) -> AsyncIterator[None]:
    """Warm up in a thread; the server already answers."""
    from app.warm_up import warm_up

    Thread(target=warm_up, daemon=True).start()
    yield


app = st.App("menu.py", lifespan=warmed, middleware=[Middleware(VisitorCookie)])
