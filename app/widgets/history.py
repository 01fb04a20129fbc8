"""The browser's Back button: one press for each page that was opened.

Streamlit changes the query of the page that is left before it opens the next, and keeps both as steps of the
browser's history, so Back had to be pressed twice, and the first press lost what the page had shown.
"""

import streamlit as st

AT_ONCE = 1_000  # ms: changes of the query that follow each other are one
SOON = 20_000  # ms: how long a busy server may take to open the next page
# A change of the query alone replaces its step; where a page with that query follows, the step gets the query
# back that it had.
SCRIPT = f"""<script>
if (!window.lm2History) {{
  window.lm2History = true;
  const push = history.pushState.bind(history);
  let left = null; // the address before its query changed, the new query, and when
  history.pushState = (state, title, address) => {{
    const {{ pathname, search }} = new URL(address, location);
    const age = left ? performance.now() - left.at : Infinity;
    if (pathname === location.pathname) {{
      left = {{ address: age < {AT_ONCE} ? left.address : location.href, search, at: performance.now() }};
      history.replaceState(state, title, address);
      return;
    }}
    if (age < {SOON} && search === left.search) history.replaceState(history.state, title, left.address);
    left = null;
    push(state, title, address);
  }};
}}
</script>"""


def one_step_a_page() -> None:
    """Call on every page."""
    st.html(SCRIPT, unsafe_allow_javascript=True)
