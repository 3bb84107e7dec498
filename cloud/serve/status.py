"""What journal and history hold, and what became of every block."""

from collections.abc import Mapping
from typing import Any, Final

from cloud.journal import counts as journal_counts
from cloud.lake.table.schema import ANOMALIES, READINGS
from cloud.serve import endpoint
from cloud.serve import ledger as serve_ledger
from cloud.serve.endpoint import WHOLE, Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.site import Site


def _whole(*names: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(names),
        "additionalProperties": False,
        "properties": dict.fromkeys(names, WHOLE),
    }


STATUS: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["journal", "lake", "history", "version", "now", "zone"],
    "additionalProperties": False,
    "properties": {
        "journal": _whole("head", "archived", "generation", "blocks", "readings"),
        "lake": _whole("offset", "readings", "anomalies"),
        "history": _whole("readings", "series", "anomalies"),
        "version": {"type": "string"},
        "now": WHOLE,
        "zone": {"type": "string", "description": "the plant's, empty where nobody told"},
    },
}
LEDGER: Final = (
    Field("gateway", Type.TEXT, "the gateway's name"),
    Field("epoch", Type.WHOLE, "life of its buffer; 0 all that are too old to be told apart"),
    Field("generation", Type.WHOLE, "of the journal in which it was counted"),
    Field("open", Type.FLAG, "whether it is the present one"),
    Field("expected", Type.WHOLE, "the highest seq ever said to be sealed, or that came"),
    Field("stored", Type.WHOLE, "the highest seq in the journal"),
    Field("archived", Type.WHOLE, "the highest seq in the lake"),
    Field("blocks", Type.WHOLE, "blocks stored"),
    Field("readings", Type.WHOLE, "readings stored"),
    Field("archived_blocks", Type.WHOLE, "blocks archived"),
    Field("archived_readings", Type.WHOLE, "readings archived"),
    Field("quarantined_blocks", Type.WHOLE, "held, to be released or discarded"),
    Field("quarantined_readings", Type.WHOLE, "held, to be released or discarded"),
    Field("discarded_blocks", Type.WHOLE, "by an operator's word"),
    Field("discarded_readings", Type.WHOLE, "by an operator's word"),
    Field("forked_blocks", Type.WHOLE, "of another stream under the same name, never stored"),
    Field("deleted_blocks", Type.WHOLE, "archived by a cloud that was lost"),
    Field("retired_readings", Type.WHOLE, "that retention removed from the lake"),
    Field("erased_readings", Type.WHOLE, "that orders to erase removed from the lake"),
    Field("in_lake", Type.WHOLE, "rows that `readings` must have"),
    Field("gaps", Type.OBJECT, "what the gateway declared lost, by reason"),
    Field("reasons", Type.LIST, "why blocks stand apart"),
)


def status(site: Site, _: Values) -> Answer:
    """What journal and history hold."""
    journal, view = site.journal, site.live.view
    stored = journal_counts.total(journal.counts().values())
    series, readings, anomalies = site.live.book.counts()
    return Answer(
        {
            "journal": {
                "head": journal.head(),
                "archived": journal.archived(),
                "generation": journal.generation,
                "blocks": stored.blocks,
                "readings": stored.readings,
            },
            "lake": {
                "offset": view.lake,
                "readings": view.tables[READINGS.name].rows,
                "anomalies": view.tables[ANOMALIES.name].rows,
            },
            "history": {"readings": readings, "series": series, "anomalies": anomalies},
            "version": site.version,
            "now": site.now_us(),
            "zone": site.zone,
        }
    )


def ledger(site: Site, values: Values) -> Answer:
    """What became of each gateway's epochs."""
    apart, view = site.apart(), site.live.view
    found = serve_ledger.answer(site.journal, apart, view, values["gateway"], site.gaps)
    return endpoint.rows("ledger", found["ledger"], LEDGER)
