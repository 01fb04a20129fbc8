"""The Streamlit app: pages that draw what lm2viz selects from what lm2core recorded."""
