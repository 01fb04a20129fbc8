"""A cookie by which the server knows a browser again: after a reload, and after the server's restart.

It holds a random key and nothing else. Scripts of a page cannot read it, and no page shows it.
"""

import re
import secrets

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "lm2_visitor"
MAX_AGE_S = 365 * 24 * 3600
_KEY = re.compile(r"[\w-]{32}", re.ASCII)


def new_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_urlsafe(24)


def is_key(text: str) -> bool:
    """Whether it has the form of a key."""
    return _KEY.fullmatch(text) is not None


class VisitorCookie:
    """Middleware of the server: gives the cookie to a browser that opens a page without one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the server does; with a page comes the cookie."""
        if scope["type"] != "http" or is_key(HTTPConnection(scope).cookies.get(COOKIE, "")):
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("set-cookie", _cookie(is_secure=scope["scheme"] == "https"))
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def _cookie(*, is_secure: bool) -> str:
    """The header's value. The cookie is sent to this app alone where others share the address."""
    path = f"/{(st.get_option('server.baseUrlPath') or '').strip('/')}"
    answer = Response()
    answer.set_cookie(
        COOKIE, new_key(), max_age=MAX_AGE_S, path=path, secure=is_secure, httponly=True, samesite="lax"
    )
    return answer.headers["set-cookie"]
