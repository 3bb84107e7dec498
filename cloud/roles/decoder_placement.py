"""Where blocks are decoded for the live view: in the first process, or in one of its own.

Apart where blocks are taken in apart (`roles.ingest`): then the first process answers, and neither
answers nor what is new would wait for the other. Where that process takes blocks in as well the
machine is a small one, and has no core for it.
"""

from cloud.config import CloudConfig
from cloud.ingest.courtesy import Courtesy
from cloud.lake.attempts import Attempts
from cloud.lake.names import Names
from cloud.live.step import Steps
from cloud.roles.decoder_keeper import DecoderProcess
from cloud.roles.decoder_wire import Start
from cloud.roles.ingest_keeper import JournalApart
from cloud.roles.ingest_placement import OpenJournal


def begin_decoding(
    config: CloudConfig, journal: OpenJournal, names: Names, courtesy: Courtesy
) -> Steps | DecoderProcess:
    """Who makes the live view's steps."""
    path = config.lake_folder / "attempt-live.json"
    if not isinstance(journal, JournalApart):
        return Steps(journal, names, Attempts(path), courtesy.step_aside)
    log = config.settings.log
    start = Start(str(config.journal_folder), str(path), log.format, log.level)
    decoder = DecoderProcess(start, Steps(journal, names, Attempts(path)))
    decoder.begin()
    return decoder
