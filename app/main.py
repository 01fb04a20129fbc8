"""Entry of the app: ``streamlit run app/main.py``. Navigation, nothing else."""

from pathlib import Path

import streamlit as st

st.set_page_config(page_title="LM2 memory", page_icon=str(Path(__file__).parent / "icon.svg"), layout="wide")
st.navigation(
    [
        st.Page("views/story.py", title="Story", icon=":material/menu_book:", url_path="story", default=True),
    ]
).run()
