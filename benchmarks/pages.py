"""How fast the app responds in a real browser, and whether many browsers at once get their own results.

    python benchmarks/pages.py                         # times on an idle machine; needs Chromium
    python benchmarks/pages.py --browsers 20

Prints, of a server that is up: seconds until the first page is drawn, and of each page the seconds from a
click until the script is done and every chart is drawn, the median of several. Where a click chooses
between views, each was opened before: what is measured over many stories is kept, and its first time has a
progress bar. The Train page is left out: there every click starts or stops a run. Then opens many browsers,
each with a story of its own, and checks that each shows its own sentence and no error.
"""

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from app_server import served
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from rich.console import Console

from lm2viz.lessons import LESSONS

N_CLICKS = 6
PATIENCE_MS = 240_000
console = Console()
Target = Callable[[Page], Locator]


def button(name: str) -> Target:
    """The first button with this name."""
    return lambda page: page.get_by_role("button", name=name).first


def choice(name: str) -> Target:
    """One of several views or lessons."""
    return lambda page: page.get_by_role("radiogroup").get_by_text(name, exact=True)


def next_number(label: str) -> Target:
    """The plus button of a number input."""
    return lambda page: page.get_by_test_id("stNumberInput").filter(has_text=label).get_by_label("Increment")


# Page -> the link that opens it, and what is clicked in turn; what the page opens with comes last.
CLICKS: dict[str, tuple[str, Sequence[Target]]] = {
    "Story": ("/story?example=2-two-facts&step=3", [button("Next")]),
    "Gated update": ("/gated_update?example=2-two-facts&step=3", [button("Next")]),
    "Slots": ("/slots", [choice("Words and questions"), choice("Map")]),
    "Probes": ("/probes", [choice("One fact"), choice("Slots and facts")]),
    "Attention": ("/attention?example=2-two-facts&step=3", [button("Next")]),
    "Interventions": ("/interventions", [choice("25"), choice("100")]),
    "Causal map": ("/causal_map", [next_number("Seed of the pair")]),
    "Compare": ("/compare", [choice("Noise after the facts"), choice("Longer stories")]),
    "Noise": ("/noise?length=1k&step=3", [button("Next")]),
    "Lessons": ("/lessons", [choice(lesson.title) for lesson in LESSONS[1::-1]]),
    "Open": ("/open", [choice("Downloads"), choice("Trace file")]),
}


def wait_until_drawn(page: Page, after: int = 0) -> None:
    """Wait until more than ``after`` script runs have ended, every chart is drawn and nothing is stale."""
    page.wait_for_function(
        """after => {
            const unfinished = ['[data-stale=true]', '[data-testid=stProgress]', '[data-testid=stSkeleton]'];
            const app = document.querySelector('[data-testid=stApp]');
            return app && app.getAttribute('data-test-script-state') === 'notRunning'
                && (window.nRuns ?? 1) > after
                && document.querySelector('h1')
                && !document.querySelector(unfinished.join())
                && [...document.querySelectorAll('[data-testid=stPlotlyChart]')]
                    .every(chart => chart.querySelector('.main-svg'));
        }""",
        arg=after,
        timeout=PATIENCE_MS,
    )


def count_runs(page: Page) -> None:
    """Make the page count how often its script has ended, from now on."""
    page.evaluate(
        """() => {
            const app = document.querySelector('[data-testid=stApp]'), state = 'data-test-script-state';
            window.nRuns = 0;
            new MutationObserver(() => { window.nRuns += app.getAttribute(state) === 'notRunning' })
                .observe(app, {attributes: true, attributeFilter: [state]});
        }"""
    )


def time_click(page: Page, target: Target) -> float:
    """Seconds from a click until its result is drawn."""
    element = target(page)
    element.scroll_into_view_if_needed()
    before = page.evaluate("window.nRuns")
    start = time.perf_counter()
    element.click()
    wait_until_drawn(page, after=before)
    return time.perf_counter() - start


def time_clicks(browser: Browser, url: str) -> None:
    """Print the seconds of clicks on each page."""
    for name, (link, targets) in CLICKS.items():
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url + link)
        page.wait_for_selector("h1")
        wait_until_drawn(page)
        count_runs(page)
        for target in targets:
            time_click(page, target)  # the first opening is not counted
        seconds = [time_click(page, targets[i % len(targets)]) for i in range(N_CLICKS)]
        console.print(f"{name}: a click takes {statistics.median(seconds):.2f} s (to {max(seconds):.2f} s)")
        page.close()


def time_openings(browser: Browser, url: str) -> None:
    """Print the seconds until the first page is drawn: while the server still imports, and after."""
    for what in ("the server's first page", "the next visitor's page"):
        page = browser.new_page()
        start = time.perf_counter()
        page.goto(url)
        page.wait_for_selector("h1", timeout=PATIENCE_MS)
        wait_until_drawn(page)
        console.print(f"{what}: drawn after {time.perf_counter() - start:.1f} s")
        page.close()


def crowd(browser: Browser, url: str, n: int) -> None:
    """Open many pages at once, each with its own story."""
    from app.loaders.stories import generate_story

    pages = [browser.new_context().new_page() for _ in range(n)]
    start = time.perf_counter()
    for seed, page in enumerate(pages):
        page.goto(f"{url}/story?source=Generated&task=qa1&seed={seed}&step=4", wait_until="commit")
    n_wrong = 0
    for seed, page in enumerate(pages):
        page.wait_for_selector("h1", timeout=PATIENCE_MS)
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
        time_openings(browser, url)
        time_clicks(browser, url)
        crowd(browser, url, options.browsers)
        browser.close()


if __name__ == "__main__":
    main()
