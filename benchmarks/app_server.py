"""Start the app on a free port of this machine, for benchmarks and tests in a browser."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60


@contextmanager
def served() -> Iterator[str]:
    """Yield the address of a running server; TimeoutError if it does not answer within ``PATIENCE_S``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_up(url)
            yield url
        finally:
            server.terminate()


def _wait_until_up(url: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not _is_up(url):
        if time.monotonic() > end:
            raise TimeoutError(f"the app did not start at {url} within {PATIENCE_S} s")
        time.sleep(0.1)


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health") as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False
