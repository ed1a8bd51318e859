"""A sentence in both languages, for what is said now and shown to somebody else later."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is to be said, in English and in Spanish; both are empty where nothing is.

    >>> (Sentence("No.", "No.") + Sentence(" Try later.", " Pruebe después.")).said("es")
    'No. Pruebe después.'
    """

    en: str = ""
    es: str = ""

    def said(self, language: str | None) -> str:
        """In this language; English unless Spanish is asked for."""
        return self.es if language == "es" else self.en

    def __add__(self, more: "Sentence") -> "Sentence":
        return Sentence(self.en + more.en, self.es + more.es)

    def __bool__(self) -> bool:
        return bool(self.en)


NOTHING = Sentence()
