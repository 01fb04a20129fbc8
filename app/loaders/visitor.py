"""Who is looking at a page: a browser, known by a cookie, and perhaps the operator, known by a token.

A run's record holds a hash of the cookie's key, so that whoever can read the record cannot pose as its owner.
"""

import hashlib
import hmac
from dataclasses import dataclass

import streamlit as st

from app.visitor_cookie import COOKIE, is_key, new_key
from lm2core.errors import UserError
from lm2viz.cli.app_settings import read_settings

_KEY, _IS_OPERATOR = "visitor_key", "is_operator"  # of the session; no widget has these keys


@dataclass(frozen=True)
class Visitor:
    """A visitor of the server.

    owner : what the records of this visitor's runs hold
    is_operator : whether the server's token was typed in this session
    """

    owner: str
    is_operator: bool = False

    def may_change(self, owner: str) -> bool:
        """Whether this visitor may stop, resume and delete a run of ``owner``."""
        return self.is_operator or (bool(owner) and owner == self.owner)


def current_visitor() -> Visitor:
    """The visitor of this session. Without a cookie, each session is another visitor's."""
    key = st.context.cookies.get(COOKIE, "")
    if not is_key(key):
        key = st.session_state.setdefault(_KEY, new_key())
    owner = hashlib.sha256(key.encode()).hexdigest()
    return Visitor(owner, is_operator=st.session_state.get(_IS_OPERATOR, False))


def has_token() -> bool:
    """Whether this server has a token."""
    return read_settings().token is not None


def become_operator(typed: str) -> None:
    """Let this session manage the runs of all visitors.

    Raises
    ------
    UserError
        When this is not the server's token.
    """
    token = read_settings().token
    if token is None or not hmac.compare_digest(typed.strip().encode(), token.encode()):
        raise UserError("this is not the server's token; its operator set it as LM2_TOKEN")
    st.session_state[_IS_OPERATOR] = True
