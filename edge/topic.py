"""Pure: MQTT topic filters: which topics they name."""

import re
from collections.abc import Iterable


class TopicFilters:
    """A set of topic filters with `+` and `#`, matched all at once.

    As in MQTT, a filter that starts with a wildcard does not match topics that start with `$`
    (MQTT 5, 4.7.2).
    """

    def __init__(self, filters: Iterable[str]) -> None:
        forms = [_form(filter_) for filter_ in filters]
        self._match = re.compile("|".join(forms), re.DOTALL).fullmatch if forms else None

    def match(self, topic: str) -> bool:
        """Whether any of the filters names ``topic``."""
        return self._match is not None and self._match(topic) is not None


def _form(filter_: str) -> str:
    levels = filter_.split("/")
    rest = levels[-1] == "#"
    named = levels[:-1] if rest else levels
    guard = r"(?!\$)" if levels[0] in ("+", "#") else ""
    form = "/".join("[^/]*" if level == "+" else re.escape(level) for level in named)
    if not rest:
        return guard + form
    return guard + (f"{form}(?:/.*)?" if named else ".*")
