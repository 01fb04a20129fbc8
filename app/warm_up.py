"""What a server that just started imports in the background: what the first page needs, and later the rest.

Importing torch and transformers takes seconds of processor time. It begins once the first page was sent, so
that it does not slow that page down, or when nobody has come for a while.
"""

import gc
from threading import Event
from time import sleep

NOBODY_COMES_S = 10.0  # then the first visitor finds everything imported
BROWSER_DRAWS_S = 1.5  # after the first page was sent: the browser still fetches from this server
_first_page_was_sent = Event()


def first_page_was_sent() -> None:
    """Tell ``warm_up`` that a page has been drawn. Called at the end of every page."""
    _first_page_was_sent.set()


def warm_up() -> None:
    """Import what the pages need and open the first model, so that the first user waits less.

    Garbage collection is off meanwhile, and what was imported is frozen: Streamlit collects after every
    click, and need not look at it again.
    """
    gc.disable()
    try:
        import_first_page()
        if _first_page_was_sent.wait(NOBODY_COMES_S):
            sleep(BROWSER_DRAWS_S)
        import_and_open()
        gc.freeze()
    finally:
        gc.enable()


def import_first_page() -> None:
    """What the first page shows without a link, ready to be sent."""
    import app.widgets.erase  # noqa: F401
    import app.widgets.stage  # noqa: F401
    from app.loaders import stage
    from lm2core.reading.checkpoints import shipped_models

    stage.load_engine(shipped_models()[0])


def import_and_open() -> None:
    """What all other pages need."""
    import torch

    import app.loaders.traces  # noqa: F401
    import lm2viz.stage.story_payload  # noqa: F401
    import lm2viz.story.pictures  # noqa: F401
    from app.loaders.models import load_model
    from lm2core.reading.checkpoints import shipped_models

    torch.set_num_threads(1)  # small models are faster on one thread, and other users need the other cores
    for name in shipped_models()[:1]:
        load_model(name)
