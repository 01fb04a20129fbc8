"""How fast the app responds in a real browser, and whether many browsers at once get their own results.

    python benchmarks/pages.py                         # times on an idle machine; needs Chromium
    python benchmarks/pages.py --pages story,slots --clicks 40 --browsers 0

Prints the seconds from the start of a server until the first story is drawn, and until the next visitor's is.
Then, of each page, the seconds from a click until the script is done and every chart is drawn: median, 95th
percentile, least, and processor time of server and browser together, which other work on the machine changes
less. Where a click chooses between views, each was opened before: what is measured over many stories is kept,
and its first time has a progress bar. The Stage is left out, whose clicks need no server, and so is Train,
where every click starts or stops a run. Last, many browsers at once, each with a story of its own: each must
show its own sentence and no error.
"""

import argparse
import math
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import psutil
from app_server import served
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from rich.console import Console
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from lm2viz.lessons import LESSONS

WIDTH, HEIGHT = 1366, 900  # of the window, in pixels
CLICKS_AN_OPENING = 6
PATIENCE_MS = 240_000
QUIET_MS, LOOK_EVERY_MS = 60, 10  # a page that has not changed for so long is drawn
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


STORY = "source=Generated&task=qa2&seed={seed}&step=2"  # every opening has a story that no page has read yet
# Page, by its address -> the link that opens it, and what is clicked in turn; what it opens with comes last.
CLICKS: dict[str, tuple[str, Sequence[Target]]] = {
    "story": (f"/story?{STORY}", [button("Next")]),
    "gated_update": (f"/gated_update?{STORY}", [button("Next")]),
    "slots": ("/slots", [choice("Words and questions"), choice("Map")]),
    "probes": ("/probes", [choice("One fact"), choice("Slots and facts")]),
    "attention": (f"/attention?{STORY}", [button("Next")]),
    "interventions": ("/interventions", [choice("25"), choice("100")]),
    "causal_map": ("/causal_map", [next_number("Seed of the pair")]),
    "compare": ("/compare", [choice("Noise after the facts"), choice("Longer stories")]),
    "noise": ("/noise?length=1k&step=3", [button("Next")]),
    "lessons": ("/lessons", [choice(answer.text) for answer in LESSONS[0].choices[:2]]),
    "open": ("/open", [choice("Downloads"), choice("Trace file")]),
}


def wait_until_drawn(page: Page, *, quiet_ms: int = 0) -> None:
    """Wait until the script is done, every chart is drawn, and nothing is stale or has changed lately."""
    page.wait_for_function(
        """quiet => {
            const unfinished = ['[data-stale=true]', '[data-testid=stProgress]', '[data-testid=stSkeleton]'];
            const app = document.querySelector('[data-testid=stApp]');
            return app && app.getAttribute('data-test-script-state') === 'notRunning'
                && document.querySelector('h1')
                && !document.querySelector(unfinished.join())
                && [...document.querySelectorAll('[data-testid=stPlotlyChart]')]
                    .every(chart => chart.querySelector('.main-svg'))
                && !(performance.now() - window.changed < quiet);
        }""",
        arg=quiet_ms,
        timeout=PATIENCE_MS,
    )


class WatchedPage:
    """A page that notes when it was clicked, when it last changed, and how many runs of its script ended."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.n_runs = 0
        self.page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._count))
        self.page.goto(address)
        self.page.wait_for_selector("h1")
        wait_until_drawn(self.page)
        self.page.evaluate(
            """() => {
                addEventListener('click', () => { window.clicked = performance.now() }, true);
                const all = {subtree: true, childList: true, attributes: true, characterData: true};
                new MutationObserver(() => { window.changed = performance.now() }).observe(document, all);
            }"""
        )

    def _count(self, frame: str | bytes) -> None:
        message = ForwardMsg.FromString(frame if isinstance(frame, bytes) else frame.encode())
        self.n_runs += message.WhichOneof("type") == "script_finished"

    def time_click(self, target: Target) -> tuple[float, float]:
        """Seconds from a click until the page has drawn its result, and processor seconds meanwhile."""
        element = target(self.page)
        element.scroll_into_view_if_needed()
        n_before, used = self.n_runs, processor_seconds()
        element.click()
        while self.n_runs == n_before:
            self.page.wait_for_timeout(LOOK_EVERY_MS)
        wait_until_drawn(self.page, quiet_ms=QUIET_MS)
        took_ms: float = self.page.evaluate("window.changed - window.clicked")
        return took_ms / 1000, processor_seconds() - used


def processor_seconds() -> float:
    """What server and browser have used so far, which this process started."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            seconds += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:  # just ended
            continue
    return seconds


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def time_clicks(browser: Browser, url: str, names: Sequence[str], n_clicks: int) -> None:
    """Print the seconds of clicks on each of these pages."""
    console.print("[bold]a click, in seconds       median   p95  least  processor[/bold]")
    for name in names:
        timed: list[tuple[float, float]] = []
        for seed in range(math.ceil(n_clicks / CLICKS_AN_OPENING)):
            timed += clicks_of_an_opening(browser, url, name, seed)
        seconds, used = zip(*timed, strict=True)
        console.print(
            f"{name:24} {statistics.median(seconds):7.2f} {percentile(seconds, 0.95):6.2f}"
            f" {min(seconds):6.2f} {statistics.median(used):8.2f}"
        )


def clicks_of_an_opening(browser: Browser, url: str, name: str, seed: int) -> list[tuple[float, float]]:
    """What ``time_click`` gives of clicks on a page that is opened for them."""
    link, targets = CLICKS[name]
    watched = WatchedPage(browser, url + link.format(seed=seed))
    for target in targets:
        watched.time_click(target)  # the first opening is not counted
    timed = [watched.time_click(targets[i % len(targets)]) for i in range(CLICKS_AN_OPENING)]
    watched.page.close()
    return timed


def time_opening(browser: Browser, url: str, what: str, began: float | None = None) -> None:
    """Print the seconds until the first story is drawn, since ``began`` or else since it was asked for."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    began = time.perf_counter() if began is None else began
    page.goto(url)
    page.wait_for_selector(".stage .where", timeout=PATIENCE_MS)  # the number of sentences read
    console.print(f"{what} is drawn after {time.perf_counter() - began:.1f} s")
    wait_until_drawn(page)
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


def chosen(pages: str) -> list[str]:
    """The pages that are asked for, by the last part of their addresses; all of them by default."""
    names = pages.split(",") if pages else list(CLICKS)
    unknown = sorted(set(names) - set(CLICKS))
    if unknown:
        sys.exit(f"no page {', '.join(unknown)}; known: {', '.join(CLICKS)}")
    return names


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pages", default="", help="only these, such as story,slots")
    parser.add_argument("--clicks", type=int, default=20, help="how many on each page, at least")
    parser.add_argument("--browsers", type=int, default=20, help="how many at once")
    options = parser.parse_args()
    names = chosen(options.pages)
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is missing; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        began = time.perf_counter()
        with served() as url:
            time_opening(browser, url, "a server just started: the first story", began)
            time_clicks(browser, url, names, options.clicks)
            time_opening(browser, url, "a server that is warm: the next visitor's first story")
            if options.browsers:
                crowd(browser, url, options.browsers)
        browser.close()


if __name__ == "__main__":
    main()
