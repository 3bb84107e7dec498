"""Looks at every theme at once, each on a thread of its own that is waited for and never longer."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.doctor.case import Case
from edge.doctor.kind import Finding
from edge.doctor.theme import Theme


@dataclass(slots=True)
class _Look:
    """One theme being looked at; what is found stands in ``found`` at once."""

    theme: Theme
    case: Case
    found: list[Finding] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Look, on a thread that keeps nobody from ending."""
        name = f"doctor {self.theme.name}"
        threading.Thread(target=self._supervise, name=name, daemon=True).start()

    def _supervise(self) -> None:
        try:
            for finding in self.theme.examine(self.case):
                self.found.append(finding)
        except Exception as error:  # noqa: BLE001 - the supervisor of one look: others go on
            told = f"{type(error).__name__}: {error}"[:300]
            self.found.append(self.theme.fails.found(told))
        finally:
            self.done.set()

    def end(self, until_s: float) -> list[Finding]:
        """What was found by then."""
        if self.done.wait(max(0.0, until_s - time.monotonic())):
            return self.found
        told = f"no answer within {self.theme.limit_s:.0f} s; it was left"
        return [*self.found, self.theme.hangs.found(told)]


def examine(case: Case, themes: Sequence[Theme]) -> list[Finding]:
    """Look at all themes; the findings in the order of the themes, whichever came first."""
    wanted = [theme for theme in themes if case.loaded is not None or not theme.needs_settings]
    looks = [_Look(theme, case) for theme in wanted]
    began_s = time.monotonic()
    for look in looks:
        look.begin()
    return [one for look in looks for one in look.end(began_s + look.theme.limit_s)]
