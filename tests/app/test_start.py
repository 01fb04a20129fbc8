"""The entry of the app: what the first page needs is made while the server starts."""

import logging
import subprocess
import sys

from app import main
from app.loaders import models
from lm2core.checkpoints import shipped_models
from tests.conftest import ROOT


def test_the_model_that_pages_begin_with_is_open_once_the_server_is_warm(caplog):
    models.load_model.clear()
    with caplog.at_level(logging.WARNING):
        main.warm_up()
    assert not caplog.records  # a thread without a page: nothing may look for one
    opened = models.load_model(shipped_models()[0])
    main.warm_up()
    assert models.load_model(models.model_names()[0]) is opened


def test_the_server_itself_starts_without_torch():
    code = "import sys; import app.main; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.split()[-1] == "False"
