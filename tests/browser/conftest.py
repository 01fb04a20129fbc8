"""A running app and a real Chromium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)

from benchmarks.app_server import served

CHROMIUM = shutil.which("chromium")
# Opened at a page's own address, Streamlit's client looks for its server below that first, and gets a 404.
PROBES = ("/_stcore/health", "/_stcore/host-config")
LOCAL = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:", "file:")  # of this machine
BLANK = "about:blank"
# What takes a moment on an idle machine takes many on a busy one: every wait of these tests is this long.
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """Address of the app on a free port of this machine."""
    with served() as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; where CI is set its absence is a failure."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing; apt-get install chromium")
        pytest.skip("chromium is not installed; apt-get install chromium")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
        with playwright.chromium.launch(executable_path=CHROMIUM, args=arguments) as chromium:
            yield chromium


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor's browser: its pages share its cache and nothing else, for each is a session of its own."""
    with browser.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        yield context


@contextmanager
def watched_page(context: BrowserContext, *, width: int, height: int) -> Iterator[Page]:
    """A blank page; any error that it reports, and any request to another machine, fails the test.

    The tab of an earlier test is used again where one is free: its process has compiled the app's scripts,
    which costs more than half of loading a page in a new tab.
    """
    errors: list[str] = []
    page = next((tab for tab in context.pages if tab.url == BLANK), None) or context.new_page()
    page.bring_to_front()  # Chromium draws a tab behind another one seldom
    page.set_viewport_size({"width": width, "height": height})

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith(PROBES):
            errors.append(message.text)

    def note_failure(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the browser broke it off: a download, a page it left
            errors.append(f"{request.url} {request.failure}")

    def note_stranger(request: Request) -> None:
        if not request.url.startswith(LOCAL):
            errors.append(f"asked for {request.url}: the app needs no network")

    def note_exception(error: Error) -> None:
        errors.append(str(error))

    watchers = (
        ("pageerror", note_exception),
        ("console", note),
        ("request", note_stranger),
        ("requestfailed", note_failure),
    )
    for event, watcher in watchers:
        page.on(event, watcher)
    try:
        yield page
    finally:
        leave(page)
        for event, watcher in watchers:
            page.remove_listener(event, watcher)
    assert errors == []


def open_drawn(page: Page, url: str) -> None:
    """Open a page and wait until its script has run."""
    page.goto(url)
    expect(page.locator("h1").first).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()


def leave(page: Page) -> None:
    """Make a tab as good as new."""
    if page.url != BLANK:
        page.mouse.move(0, 0)
        page.evaluate("sessionStorage.clear()")
    page.emulate_media(color_scheme="null", reduced_motion="null")
    page.goto(BLANK)


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of the usual size."""
    with watched_page(context, width=1360, height=1200) as page:
        yield page
