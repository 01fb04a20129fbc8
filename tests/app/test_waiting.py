"""Waiting for an analysis: a bar while it runs, then its result or its error, and nobody else's."""

import threading
from threading import Barrier, Event, Thread

import pytest
import streamlit as st

from app.widgets import waiting
from app.widgets.waiting import wait_for
from lm2viz.progress import Cancelled, track

STEP_S = 0.06


class Page:
    """What one page shows while it waits."""

    def __init__(self) -> None:
        self.bars: list[tuple[float, str]] = []
        self.is_cleared = False

    def progress(self, share: float, text: str) -> None:
        self.bars.append((share, text))
        self.is_cleared = False

    def empty(self) -> None:
        self.is_cleared = True


@pytest.fixture(autouse=True)
def pages(monkeypatch) -> dict[int, Page]:
    """By thread, since each user's page has one of its own; short times to wait."""
    pages: dict[int, Page] = {}
    monkeypatch.setattr(waiting, "SHOW_AFTER_S", 0.05)
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(st, "empty", lambda: pages.setdefault(threading.get_ident(), Page()))
    return pages


def slow(name: str, n: int) -> str:
    for _ in track(range(n), name, "step"):
        Event().wait(STEP_S)
    return name


def refuse(text: str) -> str:
    Event().wait(STEP_S)
    raise ValueError(text)


def test_a_slow_answer_shows_a_bar_that_moves_on_and_then_goes(pages):
    assert wait_for("Measuring", slow, "patching", 5) == "patching"
    (page,) = pages.values()
    shares = [share for share, _ in page.bars]
    assert shares == sorted(shares)
    assert len(set(shares)) > 2
    assert page.bars[-1][1].startswith("Measuring · patching, step 5 of 5 · ")
    assert page.is_cleared


def test_a_fast_answer_draws_no_bar(pages):
    assert wait_for("Measuring", "{}{b}".format, "a", b="b") == "ab"
    (page,) = pages.values()
    assert page.bars == []


def test_the_error_of_the_analysis_is_raised_where_it_is_waited_for():
    for _ in range(2):  # it is not kept either
        with pytest.raises(ValueError, match="too few stories"):
            wait_for("Measuring", refuse, "too few stories")
    assert waiting._jobs == {}


def test_two_users_each_see_their_own_analysis(pages):
    outcome = {}

    def visit(name: str, n: int) -> None:
        outcome[name] = wait_for(name, slow, name, n), threading.get_ident()

    visits = [Thread(target=visit, args=of) for of in (("first", 4), ("second", 6))]
    for thread in visits:
        thread.start()
    for thread in visits:
        thread.join()
    for name, n in (("first", 4), ("second", 6)):
        result, user = outcome[name]
        assert result == name
        texts = {text.rpartition(" · ")[0] for _, text in pages[user].bars}
        assert texts
        assert texts <= {f"{name} · {name}, step {i} of {n}" for i in range(1, n + 1)} | {name}


def test_two_pages_that_want_the_same_analysis_share_one_run():
    begun, both = [], Barrier(2, timeout=5)

    def measure() -> int:
        begun.append(threading.get_ident())
        Event().wait(5 * STEP_S)
        return len(begun)

    def visit() -> None:
        both.wait()
        outcome.append(wait_for("Measuring", measure))

    outcome: list[int] = []
    visits = [Thread(target=visit) for _ in range(2)]
    for thread in visits:
        thread.start()
    for thread in visits:
        thread.join()
    assert outcome == [1, 1]
    assert wait_for("Measuring", measure) == 2
    assert threading.get_ident() not in begun


def test_a_page_that_comes_back_soon_finds_the_analysis_still_running(pages, monkeypatch):
    class Left(Exception):
        pass

    def leave(*_: object, **__: object) -> None:
        raise Left

    remaining = Event()
    monkeypatch.setattr(Page, "progress", leave)
    with pytest.raises(Left):
        wait_for(
            "Measuring", lambda: [*track("ab", "doing", "step"), remaining.wait(STEP_S * 3), remaining.set()]
        )
    assert remaining.wait(5)


def test_an_analysis_that_nobody_waits_for_ends_at_its_next_step(monkeypatch):
    monkeypatch.setattr(waiting, "ABANDONED_AFTER_S", STEP_S)
    steps = []

    def long() -> str:
        for number in track(range(40), "doing", "step"):
            Event().wait(STEP_S / 2)
            steps.append(number)
        return "done"

    job = waiting._started(long, (), {})  # and never looked at
    assert isinstance(job.result.exception(timeout=5), Cancelled)
    assert 0 < len(steps) < 40
    assert waiting._jobs == {}
    assert wait_for("Measuring", long) == "done"  # wanted again, it is begun anew


@pytest.mark.parametrize("cache", [st.cache_resource, st.cache_data])
def test_cached_functions_can_be_waited_for_and_answer_at_once_the_second_time(cache, recwarn, caplog, pages):
    @cache(max_entries=2, show_spinner=False)
    def inner(n: int) -> int:
        return n + 1

    @cache(max_entries=2, show_spinner=False)
    def outer(n: int) -> int:
        Event().wait(2 * STEP_S)
        return inner(n)

    assert [wait_for("Measuring", outer, 3) for _ in range(2)] == [4, 4]
    (page,) = pages.values()
    n_bars = len(page.bars)
    assert n_bars
    assert wait_for("Measuring", outer, 3) == 4
    assert len(page.bars) == n_bars
    assert not recwarn.list
    assert not [record for record in caplog.records if "ScriptRunContext" in record.getMessage()]
