"""The agent: whether one runs and answers, and what it says of itself that needs somebody."""

from collections.abc import Iterator
from typing import Final

from edge.config_origin import changed
from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, UNREACHABLE, Finding, fault, hint, ok
from edge.doctor.theme import Theme
from edge.health import Health

RUNNING: Final = "whether an agent runs in this home"
RUNS = ok("agent.runs", RUNNING)
STOPPED = hint("agent.stopped", RUNNING, "start it: `systemctl start tidegate-edge`, or `run`")
SILENT = fault(
    "agent.silent",
    RUNNING,
    "look at its log (`journalctl -u tidegate-edge -e`), then restart it: what is committed stays",
    UNREACHABLE,
)
STALE = hint(
    "agent.stale",
    "whether it runs with the settings of the file",
    "restart the agent to use them; `tidegate-edge config show` tells both",
)
REJECTS = hint(
    "agent.rejects",
    "messages that could not be read",
    "`tidegate-edge rejects` shows them and why; a rule in rules.toml reads them",
)
DEVICE_CLOCKS = hint(
    "agent.device-clocks",
    "times that devices say themselves",
    "set those devices' clocks, or name their zone (`time_zone` in rules.toml)",
)


def examine(case: Case) -> Iterator[Finding]:
    """Look whether it answers."""
    if case.health is None:
        if case.is_running and case.silence is not None:
            yield SILENT.found(case.silence.cause)
        else:
            yield STOPPED.found("none does: nothing is collected; the rest is told from files")
        return
    health = case.health
    rate = health.ingest.messages_per_s
    yield RUNS.found(f"process {health.pid}, {rate:,.1f} messages/s")
    if keys := changed(case.config):
        yield STALE.found(f"{', '.join(keys)} changed in the file since it started")
    yield from _heard(health)


def _heard(health: Health) -> Iterator[Finding]:
    ingest = health.ingest
    if ingest.rejected:
        yield REJECTS.found(f"{ingest.rejected:,} since the buffer began")
    wrong = ingest.clocks_ahead + ingest.clocks_unset + ingest.clocks_local
    if wrong:
        yield DEVICE_CLOCKS.found(f"{wrong:,} readings have the time of arrival instead")


THEME = Theme(
    "agent",
    (RUNS, STOPPED, SILENT, STALE, REJECTS, DEVICE_CLOCKS),
    examine,
    limit_s=12.0,
    hung=("restart the agent: it does not answer its socket", OPERATOR),
)
