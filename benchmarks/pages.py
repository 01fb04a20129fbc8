"""How fast the app answers in a real browser, and whether many browsers at once get their own results.

    python benchmarks/pages.py                         # times on an idle machine; needs Chromium
    python benchmarks/pages.py --browsers 20

Prints, of a server that is up: seconds until the first page is drawn, and of each page the seconds from a
click until the script is done and every chart is drawn, the median of several. Then opens many browsers, each
with a story of its own, and checks that each shows its own sentence and no error.
"""

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

ROOT = Path(__file__).parents[1]
N_CLICKS = 5
console = Console()
# Page, link that opens it, and what is clicked: a button by its name.
CLICKS = {
    "Story": ("/?example=2-two-facts&step=3", "Next"),
    "Gated update": ("/gated_update?example=2-two-facts&step=3", "Next"),
    "Attention": ("/attention?example=2-two-facts&step=3", "Next"),
    "Noise": ("/noise?length=1k&step=3", "Next"),
}


@contextmanager
def served() -> Iterator[str]:
    """The app on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            while not is_up(url):
                time.sleep(0.1)
            yield url
        finally:
            server.terminate()


def is_up(url: str) -> bool:
    """Whether the server answers."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health") as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


def wait_until_drawn(page: Page) -> None:
    """Until the script has run, every chart is drawn and nothing is stale."""
    page.wait_for_function(
        """() => {
            const app = document.querySelector('[data-testid=stApp]');
            return app && app.getAttribute('data-test-script-state') === 'notRunning'
                && document.querySelector('h1')
                && [...document.querySelectorAll('[data-testid=stPlotlyChart]')]
                    .every(chart => chart.querySelector('.main-svg'));
        }""",
        timeout=120_000,
    )


def time_clicks(browser: Browser, url: str) -> None:
    """Print the seconds of clicks on each page; the first opening is not counted."""
    for name, (link, button) in CLICKS.items():
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        page.goto(url + link)
        page.wait_for_selector("h1", timeout=120_000)
        wait_until_drawn(page)
        seconds = []
        for _ in range(N_CLICKS):
            start = time.perf_counter()
            page.get_by_role("button", name=button).click()
            page.wait_for_timeout(50)  # the click reaches the server before we look whether it is done
            wait_until_drawn(page)
            seconds.append(time.perf_counter() - start)
        console.print(f"{name}: a click takes {statistics.median(seconds):.2f} s (to {max(seconds):.2f} s)")
        page.close()


def crowd(browser: Browser, url: str, n: int) -> None:
    """Open many pages at once, each with a story of its own."""
    from app.loaders.stories import generate_story

    pages = [browser.new_context().new_page() for _ in range(n)]
    start = time.perf_counter()
    for seed, page in enumerate(pages):
        page.goto(f"{url}/?source=Generated&task=qa1&seed={seed}&step=4", wait_until="commit")
    n_wrong = 0
    for seed, page in enumerate(pages):
        page.wait_for_selector("h1", timeout=240_000)
        wait_until_drawn(page)
        text = page.inner_text("[data-testid=stMain]")
        n_wrong += f"4  {generate_story('qa1', seed).sentences[3]}" not in text
        n_wrong += page.get_by_test_id("stException").count()
    console.print(
        f"{n} browsers at once: all drawn after {time.perf_counter() - start:.1f} s, {n_wrong} wrong"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browsers", type=int, default=20, help="how many at once")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is missing; apt-get install chromium")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for what in ("the server's first page", "the next visitor's page"):
            page = browser.new_page()
            start = time.perf_counter()
            page.goto(url)
            page.wait_for_selector("h1", timeout=120_000)
            wait_until_drawn(page)
            console.print(f"{what}: drawn after {time.perf_counter() - start:.1f} s")
            page.close()
        time_clicks(browser, url)
        crowd(browser, url, options.browsers)
        browser.close()


if __name__ == "__main__":
    main()
