"""The error a user can fix: the command line and the app show it as one line, without a traceback.

Any other exception is a bug or a machine failure, and keeps its traceback.
"""


class UserError(ValueError):
    """What was given, what is allowed, and what to do next, in one line."""
