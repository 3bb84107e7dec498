"""The agent's parts that detect, made as the settings ask for them."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from edge.agent_parts import Clients
from edge.catalog import Catalog
from edge.clock import Clock
from edge.config import EdgeConfig
from edge.config_watch import ReadTopics
from edge.detect import alert, watch_memory
from edge.detect.admission import admit_folder, files
from edge.detect.apart_wire import Bounds
from edge.detect.command_slots import holder_id
from edge.detect.commander import Commander
from edge.detect.detection import Detection
from edge.detect.episode import OF_RULES, Course
from edge.detect.episodes import Episodes
from edge.detect.models import SHIPPED, load_folder
from edge.detect.openers import PackageOpeners
from edge.detect.rollout_desk import RolloutDesk
from edge.detect.rules import Rules, Turn
from edge.detect.scoring import Scoring
from edge.detect.signers import Signers
from edge.detect.staged import Staged
from edge.detect.standing import Naming, Standing
from edge.detect.trust import Trust, trust_of
from edge.detect.watching import Watching
from edge.errors import OperatorError, StorageError, TidegateError
from edge.ingest import Ingest
from edge.store.remembered import Item
from protos.quiet import Quiet

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)


def rollouts(config: EdgeConfig, scorer: Staged, clock: Clock) -> RolloutDesk | None:
    """What carries out the cloud's rollouts, with what stood when the last agent ended in service.

    None where nothing is scored. A disk that refuses is told, and the gateway's own models serve.
    """
    if not config.settings.models.enabled:
        return None
    openers = PackageOpeners(model_bounds(config))
    desk = RolloutDesk(
        config.rollout_folder,
        scorer,
        Signers(config.identity_folder, lambda: trust(config).keys),
        openers,
        lambda: clock.now().mono_us,
    )
    try:
        desk.begin()
    except StorageError as error:
        log.error("%s", error)
    return desk


def detection(
    config: EdgeConfig,
    scorer: Staged,
    watching: Watching,
    kept: Sequence[Item],
    clock: Clock,
) -> Detection:
    """What detects, as the settings ask for it, with what an earlier run ``kept``."""
    detect = config.settings.detect
    course = Course(
        stay_share=detect.stay_share,
        calm_readings=detect.calm_readings,
        calm_us=round(detect.calm_s * 1e6),
        least_readings=detect.least_readings,
        least_us=round(detect.least_s * 1e6),
        gap_us=round(detect.gap_s * 1e6),
    )
    # A rule says itself when it is over.
    episodes = Episodes(config.name, course, dict.fromkeys(watching.labels, OF_RULES))
    made = Detection(
        [scorer, watching], episodes,
        now_us=lambda: clock.now().wall_us, look_round=watching.look_round,
    )  # fmt: skip
    made.restore(kept)
    watching.resume({
        label: [one.series for one in episodes.open_of(label)] for label in watching.labels
    })  # fmt: skip
    return made


def alerts(config: EdgeConfig, connect: "Callable[[], aiomqtt.Client]") -> alert.Alerts:
    """Who tells of episodes at the broker that the settings name."""
    settings = config.settings.alerts
    quiet = Quiet.of(settings.quiet, settings.quiet_zone())
    naming = Naming(config.name, settings.topic, settings.home_assistant, version("tidegate"))
    standing = Standing(naming, lambda: quiet.holds(time.time_ns() // 1000))
    return alert.Alerts(connect, standing)


def models(config: EdgeConfig) -> Sequence[Scoring]:
    """The models of the home's folder, or the shipped ones; refused ones are told and left out."""
    if not config.settings.models.enabled:
        return ()
    folder, hint = config.models_folder, "mend it; without a model in it the shipped one serves"
    if files(folder):
        usable, refusals = admit_folder(
            folder, trust(config), model_bounds(config), apart=config.settings.models.apart
        )
    else:
        folder, hint = SHIPPED, "install Tidegate again; in a checkout, `make models` builds it"
        shipped, refusals = load_folder(folder)
        usable = [*shipped]
    refused: TidegateError
    for refused in refusals:
        log.error("%s", refused)
    if not usable:
        log.warning(
            "no model is in service, none of %s can be used: readings are kept, but no anomaly is "
            "found (%s)",
            folder,
            hint,
        )
    return usable


def trust(config: EdgeConfig) -> Trust:
    """Whose models run here; a damaged file of the cloud's keys is told, and counts as none."""
    lines = config.settings.models.keys
    try:
        return trust_of(config.identity_folder, lines)
    except OperatorError as error:
        log.error("%s", error)
        return trust_of(None, lines)


def model_bounds(config: EdgeConfig) -> Bounds:
    """What a model may take in a process of its own."""
    return Bounds(window_us=config.settings.models.window_us_max)


def commander(
    config: EdgeConfig, rules: Rules, catalog: Catalog, clients: Mapping[str, Clients]
) -> Commander:
    """What gives the commands of ``rules``; both know what stood before a restart."""
    settings, path = config.settings, config.home / watch_memory.NAME
    made = Commander(
        config.name,
        settings.watch,
        settings.command,
        clients={name: partial(one, "command") for name, one in clients.items()},
        reads=ReadTopics(settings).match,
        path=path,
    )
    before = {name: ids for name, ids in watch_memory.load(path).items() if name in settings.watch}
    wanted = frozenset().union(*before.values())
    is_open: dict[str, list[int]] = {name: [] for name in before}
    found = []
    for entry in range(1, len(catalog) + 1) if wanted else ():
        key = catalog.key(entry)
        if key is None or (series := holder_id(config.name, key)) not in wanted:
            continue
        for name in before:
            if series in before[name]:
                is_open[name].append(entry)
                found.append(Turn(name, key, True, 0, 0.0, 0.0))
    rules.restore(is_open)
    made.restore(found)
    return made


def hears(ingest: Ingest) -> Callable[[], bool]:
    """Whether every broker is there now: else silence says nothing."""
    return lambda: all(state.connected for state in ingest.states.values())
