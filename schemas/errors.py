"""The three kinds of error, told apart by what happens next. Concrete errors live beside what raises them."""

from schemas.sentences import Sentence


class PadronError(Exception):
    """Any error that Padrón itself raises; it says in two languages what happened, where, and what to do."""

    def __init__(self, english: str, spanish: str) -> None:
        super().__init__(english)
        self.sentence = Sentence(english, spanish)

    def said(self, language: str | None) -> str:
        """The sentence in this language; English unless Spanish is asked for."""
        return self.sentence.said(language)


class InputError(PadronError):
    """A person mends the input: a file, a profile, an argument."""


class TransientError(PadronError):
    """Waiting and trying again can succeed: a lock, a lost connection."""


class SetupError(PadronError):
    """Somebody mends the installation: a setting, a folder, a missing database."""
