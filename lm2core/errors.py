"""The error that a user can repair: the command line and the pages show it as one line, without a traceback.

Any other exception is a bug or a failing machine, and keeps its traceback.
"""


class UserError(ValueError):
    """What was got, what is allowed, and what to do next, in one sentence."""
