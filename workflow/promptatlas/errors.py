"""The one exception for a user's mistake. Knows nothing of what the mistake was about."""


class UserError(Exception):
    """One clear sentence that names the file or key and what to do; shown without a traceback."""
