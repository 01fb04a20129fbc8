"""The browser's Back button: one press for each page that was opened.

Streamlit changes the query of the page that is left before it opens the next, and keeps both as steps of the
browser's history, so Back had to be pressed twice, and the first press lost what the page had shown.
"""

import streamlit as st

AT_ONCE = 1_000  # ms: a query that changes this shortly before the page does is that of the next page
# A change of the query alone replaces its step; where a page follows at once, the step gets its query back.
SCRIPT = f"""<script>
if (!window.lm2History) {{
  window.lm2History = true;
  const push = history.pushState.bind(history);
  let left = null; // the address before its query changed, and when
  history.pushState = (state, title, address) => {{
    const isRecent = left && performance.now() - left.at < {AT_ONCE};
    if (new URL(address, location).pathname === location.pathname) {{
      left = {{ address: isRecent ? left.address : location.href, at: performance.now() }};
      history.replaceState(state, title, address);
      return;
    }}
    if (isRecent) history.replaceState(history.state, title, left.address);
    left = null;
    push(state, title, address);
  }};
}}
</script>"""


def one_step_a_page() -> None:
    """Call on every page."""
    st.html(SCRIPT, unsafe_allow_javascript=True)
