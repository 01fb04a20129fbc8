"""The cookie comes once, with a page, random, and out of reach of scripts."""

from http.cookies import SimpleCookie

import pytest
import streamlit as st

from app import main
from app.visitor_cookie import COOKIE, VisitorCookie, is_key, new_key


def cookie_given(*, sent="", content="text/html; charset=utf-8", scheme="http", kind="http"):
    """The cookie of an answer to a browser that sent these cookies; None when it has none."""
    answers = []

    async def server(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", content.encode())]}
        )

    async def keep(message):
        answers.append(message)

    scope = {"type": kind, "scheme": scheme, "path": "/", "headers": [(b"cookie", sent.encode())]}
    with pytest.raises(StopIteration):  # it waits for nothing; a browser test may have a loop in this thread
        VisitorCookie(server)(scope, None, keep).send(None)
    headers = dict(answers[0]["headers"])
    return SimpleCookie(headers[b"set-cookie"].decode())[COOKIE] if b"set-cookie" in headers else None


def test_a_page_comes_with_a_key_that_scripts_and_other_sites_do_not_get():
    first, second = cookie_given(), cookie_given()
    assert is_key(first.value)
    assert first.value != second.value
    assert (first["httponly"], first["samesite"], first["path"], first["secure"]) == (True, "lax", "/", "")


@pytest.mark.parametrize(
    ("changes", "comes"),
    [
        ({"sent": f"{COOKIE}={new_key()}"}, False),
        ({"sent": f"{COOKIE}=guessable"}, True),
        ({"sent": f"other={new_key()}"}, True),
        ({"content": "text/javascript"}, False),
        ({"kind": "websocket"}, False),
    ],
)
def test_the_cookie_comes_with_a_page_to_a_browser_that_has_none(changes, comes):
    assert (cookie_given(**changes) is not None) == comes


def test_over_https_the_cookie_is_sent_over_https_alone():
    assert cookie_given(scheme="https")["secure"]


def test_below_a_path_of_the_address_the_cookie_is_this_app_s_alone(monkeypatch):
    monkeypatch.setattr(st, "get_option", {"server.baseUrlPath": "lm2/"}.get)
    assert cookie_given()["path"] == "/lm2"


def test_the_app_gives_the_cookie():
    assert VisitorCookie in [middleware.cls for middleware in main.app._user_middleware]
