"""Whom a question is asked of: the live view, or one moment of it."""

from collections.abc import Sequence
from typing import Protocol

from cloud.lake.names import Name
from cloud.live.series import Known
from cloud.live.view import View


class Book(Protocol):
    """What is known of series: `cloud.live.series.SeriesBook`."""

    def name(self, series: int) -> Name | None:
        """The name of a series, None when there is none of that id."""

    def known(self, series: Sequence[int] | None = None) -> Known:
        """Everything, or what is known of the given series as far as they exist."""


class Followed(Protocol):
    """What is asked: `cloud.live.live.Live`, or one moment of it."""

    @property
    def view(self) -> View:
        """The newest view."""

    @property
    def book(self) -> Book:
        """All that is known of series."""
