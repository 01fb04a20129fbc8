# One server of the app; docs/DEPLOY.md says how to build and run it, and what its settings mean.
FROM python:3.11-slim

# On Linux the usual torch brings CUDA libraries of several GB; this build argument can name an index without them.
ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /opt/lm2
COPY . .
RUN python3 -m venv .venv && .venv/bin/pip install -q --no-cache-dir -r requirements.txt

# Whoever runs the server owns nothing but the folder of its data.
RUN useradd --system --home-dir /var/lib/lm2 lm2 \
    && mkdir -p /var/lib/lm2/runs /var/lib/lm2/checkpoints \
    && chown -R lm2:lm2 /var/lib/lm2
USER lm2
VOLUME /var/lib/lm2
# With an address given, Streamlit asks no other server for the machine's external one.
ENV LM2_RUNS=/var/lib/lm2/runs \
    LM2_CHECKPOINTS=/var/lib/lm2/checkpoints \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_HEADLESS=true
EXPOSE 8501
CMD [".venv/bin/lm2", "app"]
