"""Pure: the words of a query one after another, and what is said where one is not expected."""

from cloud.promql.refused import BadQuery
from cloud.promql.words import Token, Word, duration_us, words_of


class Cursor:
    """Reads one query from its first word to its last."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._words = words_of(text)
        self._place = 0

    @property
    def next(self) -> Token:
        """The word that is read next."""
        return self._words[self._place]

    def take(self) -> Token:
        """The next word, read."""
        token = self.next
        self._place += 1
        return token

    def is_sign(self, *signs: str) -> bool:
        """Whether one of these signs is next."""
        return self.next.word is Word.SIGN and self.next.text in signs

    def is_name(self, *names: str) -> bool:
        """Whether one of these names is next, in any case."""
        return self.next.word is Word.NAME and self.next.text.lower() in names

    def bad(self, token: Token, message: str) -> BadQuery:
        """What is wrong at a word."""
        return BadQuery(self.text, token.at, f"parse error: {message}")

    def unexpected(self, expected: str) -> BadQuery:
        """What is said where the next word is none that may stand there."""
        token = self.next
        shown = "the end" if token.word is Word.END else repr(token.text[:40])
        return self.bad(token, f"unexpected {shown}, expected {expected}")

    def expect(self, sign: str, after: str) -> Token:
        """Read this sign. BadQuery when another word is next."""
        if not self.is_sign(sign):
            raise self.unexpected(f"`{sign}` {after}")
        return self.take()

    def duration(self, place: str) -> int:
        """Read a duration, in µs. BadQuery when another word is next."""
        token = self.next
        if token.word is not Word.DURATION:
            raise self.unexpected(f"a duration {place}, as 5m")
        try:
            us = duration_us(token.text)
        except ValueError as error:
            raise self.bad(token, f"{token.text[:40]!r} is no duration: {error}") from None
        self.take()
        return us
