"""Pure: a backtest as one HTML file: it holds its style and pictures, and asks nobody for anything.

No script is in it, and a policy in its head forbids all loading. It follows the reader's light or
dark, and its tables scroll by themselves on a narrow screen.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

from cloud.models.account import Account
from cloud.models.backtest import EPISODES_MAX, PLOTS_MAX, Backtest
from cloud.models.svg import picture

TABLE_EPISODES_MAX: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1b1f24;--soft:#5a6470;--line:#d4d9df;--card:#f6f7f9;
--value:#1667b7;--score:#7a4bb3;--limit:#b3261e;--false:#d9534a;--known:#2c8a4b;--fault:#e9b9b5;
--quiet:#dfe3e8;--told:#f0dfae}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--ink:#e6e9ec;--soft:#9aa4af;--line:#343b43;
--card:#1c2026;--value:#6cb0f2;--score:#b894e6;--limit:#ff8a80;--false:#f0776e;--known:#5cc083;
--fault:#5a2d2a;--quiet:#2c333b;--told:#4a4022}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1rem;background:var(--bg);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:1.5rem 0 .25rem;overflow-wrap:anywhere}
p{margin:.5rem 0;max-width:46rem}.soft{color:var(--soft);font-size:.9rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;min-width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.3rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{color:var(--soft);font-weight:600}
.key span{display:inline-block;margin-right:1rem}
.key i{display:inline-block;width:.9rem;height:.7rem;margin-right:.35rem;border-radius:2px}
svg{display:block;width:100%;min-width:36rem;height:auto;background:var(--card);border-radius:6px}
svg text{fill:var(--soft);font:11px system-ui,sans-serif}svg text.y{text-anchor:end}
.frame{fill:none;stroke:var(--line)}.value{fill:var(--value);stroke:var(--value);stroke-width:1}
.score{fill:var(--score);stroke:var(--score);stroke-width:.7}
.threshold{fill:none;stroke:var(--limit);stroke-dasharray:5 4}
.fault,.confirmed{fill:var(--fault)}.maintenance,.bad,.dismissed{fill:var(--quiet)}
.told{fill:var(--told)}.false{fill:var(--false)}.known{fill:var(--known)}.neither{fill:var(--soft)}
"""
_KEY: Final = (
    ("--fault", "fault or confirmed"), ("--quiet", "maintenance, bad data or dismissed"),
    ("--told", "told then, not reviewed"), ("--known", "episode, known"),
    ("--false", "episode, false alarm"), ("--soft", "episode, not counted"),
)  # fmt: skip


def page(made: Backtest) -> str:
    """The whole file, UTF-8 when written."""
    title = escape(f"Backtest of {made.replay.manifest.label}")
    body = "".join(
        [
            *_head(made, title), *_models(made.accounts, made.replay.manifest.calibration.rate),
            *_plots(made), *_episodes(made), *_series(made),
        ]
    )  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _head(made: Backtest, title: str) -> Iterator[str]:
    manifest, first = made.replay.manifest, made.accounts[0]
    yield f"<h1>{title}</h1><p>{escape(manifest.about)}</p>"
    yield (
        f"<p>{made.readings:,} readings of {len(made.rows)} series, {_time(made.from_us)} to "
        f"{_time(made.to_us)} (UTC). It caught {first.caught} of {first.occurrences} known "
        f"occurrences. False alarms: {first.false}, which is {_rate(first)} a series and week, "
        f"where {manifest.calibration.rate:g} is promised.</p>"
    )
    yield (
        f'<p class="soft">Score: {escape(manifest.score)}. Threshold: '
        f"{made.replay.threshold:.4g}.</p>"
    )
    if made.replay.learns:
        yield (
            '<p class="soft">Gateways learn a threshold of their own; this is what they would do '
            "with the one that learning begins with.</p>"
        )
    if made.share_in_training:
        yield (
            f'<p class="soft">{made.share_in_training:.0%} of this time the model was trained on: '
            "there it looks better than it will be. Choose a later --from to see it on what it "
            "never met.</p>"
        )


def _models(accounts: Sequence[Account], promised: float) -> Iterator[str]:
    yield "<h2>Models beside each other</h2>"
    head = ("model", "episodes", "false alarms", "a series and week (95 %)", "caught", "delay")
    rows = [
        (
            account.label, f"{account.episodes:,}", f"{account.false:,}", _rate(account),
            f"{account.caught} of {account.occurrences}",
            "" if account.delay_s is None else f"{account.delay_s:,.0f} s",
        )
        for account in accounts
    ]  # fmt: skip
    yield from _table(head, rows)
    kept = accounts[0].rate
    if kept.low > promised:
        yield f"<p>The promise of {promised:g} a series and week is broken.</p>"
    elif kept.high < promised:
        yield f"<p>The promise of {promised:g} a series and week is kept.</p>"
    else:
        yield (
            f"<p>The promise of {promised:g} a series and week is within the interval: "
            f"{kept.weeks:.3g} series-weeks say no more.</p>"
        )
    yield (
        '<p class="soft">A false alarm is an episode that meets no confirmed episode and no mark '
        "“fault”, whether or not somebody looked at it; one that meets a mark “maintenance” or "
        "“bad data” is not counted. The interval is Poisson’s exact one. Models in service are "
        "counted by what gateways told then, as if they had watched all of these series.</p>"
    )


def _plots(made: Backtest) -> Iterator[str]:
    yield "<h2>Readings and scores</h2>"
    spans = "".join(
        f'<span><i style="background:var({name})"></i>{escape(words)}</span>'
        for name, words in _KEY
    )
    yield f'<p class="key soft">{spans}</p>'
    for drawn in made.plots:
        unit = f" ({escape(drawn.unit)})" if drawn.unit else ""
        yield f"<h3>{escape(drawn.title)}{unit}</h3>"
        yield f'<div class="scroll" tabindex="0">{picture(drawn)}</div>'
    if len(made.rows) > len(made.plots):
        yield (f'<p class="soft">The {PLOTS_MAX} series with most to see, of {len(made.rows)}.</p>')


def _episodes(made: Backtest) -> Iterator[str]:
    yield "<h2>Episodes</h2>"
    if not made.episodes:
        yield "<p>There is none.</p>"
        return
    shown = made.episodes[:TABLE_EPISODES_MAX]
    rows = [
        (
            one.series.name, _time(one.found.from_us), _time(one.found.to_us),
            f"{one.found.peak:.4g}", f"{one.found.points:,}",
            one.worth.words,
        )
        for one in shown
    ]  # fmt: skip
    yield from _table(("series", "from", "to", "peak", "readings", ""), rows)
    count = made.accounts[0].episodes
    if count > len(shown):
        most = f", --json tells {min(count, EPISODES_MAX):,}" if count > len(shown) else ""
        yield f'<p class="soft">The first {len(shown)} of {count:,}{most}.</p>'


def _series(made: Backtest) -> Iterator[str]:
    yield "<h2>Series</h2>"
    rows = [
        (
            f"{row.series.gateway}  {row.series.name}", f"{row.readings:,}", f"{row.scored:,}",
            f"{row.episodes:,}", f"{row.false:,}", f"{row.caught} of {row.occurrences}",
        )
        for row in made.rows
    ]  # fmt: skip
    yield from _table(("series", "readings", "scored", "episodes", "false", "caught"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield '<div class="scroll" tabindex="0"><table><thead><tr>'
    yield "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    yield "</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{escape(each)}</td>' for each in row)}</tr>"
    yield "</tbody></table></div>"


def _rate(account: Account) -> str:
    rate = account.rate
    return f"{rate.per_week:.3g} ({rate.low:.2g} to {rate.high:.3g})"


def _time(at_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%d %H:%M:%S")
