"""How the gateway is, as the lines that an operator reads."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from edge.health import BufferHealth, Health, IngestHealth
from edge.health_budget import BudgetHealth

DAY_US = 86_400_000_000


def told(health: Health) -> str:
    """Write the document for eyes: what matters first, nothing that the agent could not know."""
    return "\n".join(_lines(health)) + "\n"


def _lines(health: Health) -> Iterator[str]:
    agent = f"running (process {health.pid})" if health.running else "not running"
    yield f"gateway  {health.gateway}, tidegate {health.version}, {agent}"
    if health.clock.now_us:
        trust = "synchronised" if health.clock.synced else "NOT synchronised"
        yield f"clock    {_day(health.clock.now_us, '%Y-%m-%d %H:%M:%S UTC')}, {trust}"
    if health.settings_changed:
        yield f"settings {', '.join(health.settings_changed)} changed in the file since the start:"
        yield "         restart the agent to use them (`tidegate-edge config show --effective`)"
    if health.running:
        yield from _live_lines(health)
    yield from _buffer_lines(health.buffer, running=health.running)
    yield from _cloud_lines(health)
    if health.running:
        yield from _budget_lines(health.budget)


def _live_lines(health: Health) -> Iterator[str]:
    ingest = health.ingest
    for broker in (health.broker, *health.brokers):
        state = "connected" if broker.connected else "NOT connected"
        yield f"broker   {f'{broker.name}: ' if broker.name else ''}{broker.url}, {state}"
        if broker.error:
            yield f"         {broker.error}"
    yield (
        f"heard    {ingest.readings:,} readings, {ingest.anomalies:,} anomalies; "
        f"{ingest.messages_per_s:,.1f} messages/s"
    )
    yield (
        f"messages {ingest.accepted:,} accepted, {ingest.rejected:,} rejected, "
        f"{ingest.ignored - ingest.alerts:,} ignored, {ingest.alerts:,} alerts of our own, "
        f"{ingest.waiting:,} waiting"
    )
    if ingest.collapsed:
        yield f"         {ingest.collapsed:,} copies: sent again by the broker, kept once"
    yield from _clock_lines(ingest)
    if ingest.shed:
        yield f"         {ingest.shed:,} of QoS 0 left out: topics of which nothing can be read"
    if ingest.rejected:
        yield "         `tidegate-edge rejects` shows what could not be read, and why"
    for model in health.models:
        state = f"FAILED: {model.failure}" if model.failure else f"{model.scored:,} scored"
        if model.watched_s and not model.failure:
            state += f", {model.anomalies_per_week:.2g} anomalies a series and week"
        if model.unscored:
            state += f"; {model.unscored:,} windows WITHOUT a score"
        if model.passed_over:
            state += f"; NO room for {model.passed_over:,} readings of further series"
        yield f"model    {model.name} {model.version}: {state}"
    for one in health.episodes:
        yield f"episodes {one.detector}: {one.open:,} open, {one.opened:,} since the start"
    yield from _watch_lines(health)


def _watch_lines(health: Health) -> Iterator[str]:
    """Rules, and what became of their commands."""
    for watch in health.watches:
        nobody = "" if watch.series else "; NO series fits its patterns yet"
        yield f"watch    {watch.name}: {watch.series:,} watched, {watch.open:,} open{nobody}"
    for one in health.commands:
        troubles = {"waiting": one.waiting, "failed": one.failed, "refused": one.refused}
        told = "".join(f", {count:,} {what}" for what, count in troubles.items() if count)
        yield f"command  {one.name}: {one.sent:,} sent{told}"


def _clock_lines(ingest: IngestHealth) -> Iterator[str]:
    """Devices whose own time is not used: what came by it has the time of arrival."""
    for count, why in (
        (ingest.clocks_ahead, "told a time from the future: is the device's clock right?"),
        (ingest.clocks_unset, "told the time of a clock that was never set"),
        (ingest.clocks_local, "told a local time of no zone: `time_zone` in rules.toml names it"),
    ):
        if count:
            yield f"         {count:,} reading{'' if count == 1 else 's'} {why}"


def _buffer_lines(buffer: BufferHealth, *, running: bool) -> Iterator[str]:
    if running:
        share = buffer.used_bytes / buffer.bytes_max if buffer.bytes_max else 0.0
        yield (
            f"buffer   {buffer.rows:,} rows of {buffer.series:,} series, "
            f"{size(buffer.used_bytes)} of {size(buffer.bytes_max)} ({share:.0%})"
        )
        if buffer.held:
            yield "         FULL: nothing is taken in, the broker keeps what comes"
        if buffer.days_left is not None:
            yield f"         full in {buffer.days_left:,.1f} days at this rate without the cloud"
        for count, what in (
            (buffer.refused, "commits refused because it was full"),
            (buffer.evicted, "rows evicted because it was full"),
            (buffer.quarantined, "damaged rows in quarantine"),
        ):
            if count:
                yield f"         {count:,} {what}"
    elif buffer.file_bytes:
        yield f"buffer   {size(buffer.file_bytes)} on the disk, limit {size(buffer.bytes_max)}"
    if buffer.key_tier:
        yield f"key      {buffer.key_tier}: {buffer.unprotected}"


def _cloud_lines(health: Health) -> Iterator[str]:
    cloud = health.cloud
    if not cloud.enrolled:
        yield "cloud    not enrolled: readings are collected and kept; `tidegate-edge enroll TOKEN`"
        return
    at = f", {cloud.line}" if health.running else ""
    yield f"cloud    {cloud.address}{at}"
    if cloud.error:
        yield f"         {cloud.error}{f' ({cloud.hint})' if cloud.hint else ''}"
    if health.running:
        yield (
            f"sync     epoch {cloud.epoch}: sealed {cloud.head:,}, stored {cloud.stored:,}, "
            f"archived {cloud.archived:,} blocks"
        )
        if cloud.eta_s:
            yield f"         the backlog is through in about {_span(cloud.eta_s)}"
    if cloud.certificate_not_after_us:
        left = (cloud.certificate_not_after_us - health.clock.now_us) // DAY_US
        when = _day(cloud.certificate_not_after_us, "%Y-%m-%d")
        renewed = f", renewed {cloud.renewals:,} times" if cloud.renewals else ""
        life = f"{left:,} days left" if left >= 0 else "EXPIRED"
        yield f"identity valid until {when} ({life}{renewed})"


def _budget_lines(budget: BudgetHealth) -> Iterator[str]:
    """What is spent, beside what may be."""
    if budget.written_bytes is not None:
        each = budget.written_per_reading
        yield (
            f"written  {size(budget.written_day_bytes)}{_of(budget.written_limit_bytes)} in 24 h"
            f"{'' if each is None else f', {each:,.0f} B a reading'}"
        )
        if budget.commit_spacing_s:
            yield f"         commits are {budget.commit_spacing_s:.1f} s apart to spare the card"
    both = budget.sent_day_bytes + budget.received_day_bytes
    if both or budget.line_limit_bytes:
        limit = _of(budget.line_limit_bytes)
        yield (
            f"line     {size(budget.sent_day_bytes)} sent, {size(budget.received_day_bytes)} "
            f"received in 24 h{f', {size(both)}{limit}' if limit else ''}"
        )
    if budget.line_state != "all":
        what = "only anomalies are sent" if budget.line_state == "anomalies" else "nothing is sent"
        yield f"         {what} until the day has room: everything else waits in the buffer"
    yield (
        f"memory   {size(budget.memory_bytes)}{_of(budget.memory_limit_bytes)}, "
        f"at most {size(budget.memory_peak_bytes)}; "
        f"{budget.cpu_percent:.1f} % of a core, {budget.cpu_s:,.0f} s in all"
    )
    if budget.over:
        yield f"         OVER its budget: {', '.join(budget.over)}"


def _of(limit: int) -> str:
    return f" of {size(limit)}" if limit else ""


def _span(seconds: float) -> str:
    minutes, hours = math.ceil(seconds / 60), round(seconds / 3600)
    return f"{hours:,} h" if minutes > 90 else f"{minutes} min"


def size(count: int) -> str:
    """A number of bytes for eyes."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _day(at_us: int, form: str) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime(form)
