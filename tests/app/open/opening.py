"""What a user of the Open page does, and broken files to upload."""

from app.loaders import opened
from lm2core.traces.trace import Trace

MODEL, EXAMPLE, STEP = "babi-qa1-10", "2-two-facts", 4
GATE = "blocks.1.mem.hook_gate_in"


def upload(page, content, name="trace.safetensors", key="trace_upload"):
    page.file_uploader(key=key).upload(name, content).run()
    assert not page.exception
    return page


def messages(page):
    """Messages as shown, without the backslashes that escape markup."""
    return " ".join(
        m.value.replace("\\", "") for m in (*page.error, *page.info, *page.success, *page.markdown)
    )


def type_folder(page, typed):
    page.text_input(key="folder").set_value(typed)
    next(b for b in page.button if b.label == "Open folder").click().run()
    assert not page.exception
    return page


def changed(trace, *, arrays=None, axes=None, tokens=None, info=None):
    return opened.trace_file(
        Trace(
            dict(trace.arrays) | (arrays or {}), dict(trace.axes) | (axes or {}), tokens or trace.tokens,
            info or dict(trace.info),
        )
    )  # fmt: skip


class Evil:
    """A pickle that would leave a mark where it is opened."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))
