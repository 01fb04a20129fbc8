"""A bug on a page is a red box with its traceback, also from another thread; the rest of the app goes on."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT

SEED = {KeyError: "4321", ValueError: "4322", TypeError: "4323"}  # stories that no other test has read


@pytest.mark.parametrize("bug", [KeyError, ValueError, TypeError])
def test_a_bug_in_a_loader_is_shown_with_its_traceback_and_the_menu_works(bug, monkeypatch):
    def where_it_breaks(*_, **__):
        raise bug("typo")

    page = AppTest.from_file(str(ROOT / "app" / "menu.py"), default_timeout=60)
    page.query_params["source"], page.query_params["seed"] = "Generated", SEED[bug]
    with monkeypatch.context() as patched:
        patched.setattr("app.loaders.traces.read_story", where_it_breaks)
        page.run()
    (box,) = page.exception
    assert "typo" in box.message
    frames = "".join(box.stack_trace)
    assert "where_it_breaks" in frames  # in the thread that read the story
    assert "views/stage.py" in frames  # on the page that waited for it
    assert not page.error
    assert not page.switch_page("views/lessons.py").run().exception
    assert not page.switch_page("views/story.py").run().exception
    assert page.get("plotly_chart")
