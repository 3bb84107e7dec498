"""Pure: MQTT topic filters: which topics they name."""

import re
from collections.abc import Iterable
from typing import Final

FILTER_BYTES_MAX: Final = 65535
OWN_PREFIX: Final = "tidegate/"
"""Topics of the agents themselves: never read as a sensor's."""


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


def filter_problem(filter_: str) -> str:
    """Why no broker takes this topic filter (MQTT 5, 4.7); empty when it is one."""
    if not filter_:
        return "it is empty"
    if "\0" in filter_ or len(filter_.encode(errors="replace")) > FILTER_BYTES_MAX:
        return f"it holds NUL or is longer than {FILTER_BYTES_MAX} bytes"
    levels = filter_.split("/")
    if "#" in filter_[:-1] or ("#" in levels[-1] and levels[-1] != "#"):
        return "# stands alone, as the last level"
    if any("+" in level and level != "+" for level in levels):
        return "+ stands alone between two /"
    return ""


def name_problem(topic: str) -> str:
    """Why no message can have this topic (MQTT 5, 4.7); empty when it can."""
    if not topic:
        return "it is empty"
    if "\0" in topic or len(topic.encode(errors="replace")) > FILTER_BYTES_MAX:
        return f"it holds NUL or is longer than {FILTER_BYTES_MAX} bytes"
    if set(topic) & {"+", "#"}:
        return "+ and # stand in filters alone; give the topic of one message"
    return ""


def _form(filter_: str) -> str:
    levels = filter_.split("/")
    rest = levels[-1] == "#"
    named = levels[:-1] if rest else levels
    guard = r"(?!\$)" if levels[0] in ("+", "#") else ""
    form = "/".join("[^/]*" if level == "+" else re.escape(level) for level in named)
    if not rest:
        return guard + form
    return guard + (f"{form}(?:/.*)?" if named else ".*")
