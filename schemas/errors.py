"""The three kinds of error, told apart by what happens next. Concrete errors live beside what raises them."""


class PadronError(Exception):
    """Any error that Padrón itself raises; its text says what happened, where, and what to do."""


class InputError(PadronError):
    """A person mends the input: a file, a profile, an argument."""


class TransientError(PadronError):
    """Waiting and trying again can succeed: a lock, a lost connection."""


class SetupError(PadronError):
    """Somebody mends the installation: a setting, a folder, a missing database."""
