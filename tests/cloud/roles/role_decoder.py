"""The decoder's program with a fault in it; TIDEGATE_TEST_FAULT says which.

`block:OFFSET` dies by SIGKILL of decoding that block. `hang:OFFSET` never gets over it. `once:FILE`
dies of whatever it decodes first, unless that file stands. `early` dies before its first word.
`long` may say nothing longer than a failure. `slow:FOLDER` says `asked` in a folder and waits until
a file `go` stands there.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

from cloud.live import step
from cloud.roles import decoder
from cloud.roles.decoder_wire import Answer
from cloud.roles.reader_wire import Link

kind, _, value = os.environ["TIDEGATE_TEST_FAULT"].partition(":")
decode, send = step.decode, Link.send


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def faulty(entries: Any, *others: Any) -> Any:
    match kind:
        case "block" if any(one.offset == int(value) for one in entries):
            die()
        case "hang" if any(one.offset == int(value) for one in entries):
            signal.pause()
        case "once" if not Path(value).exists():
            Path(value).touch()
            die()
        case "slow":
            Path(value, "asked").touch()
            while not Path(value, "go").exists():
                time.sleep(0.005)
    return decode(entries, *others)


def brief(self: Link, message: object, until: float | None = None) -> None:
    if isinstance(message, Answer) and message.step is not None:
        raise ValueError("too long")
    send(self, message, until)


step.decode = faulty
if kind == "early":
    die()
if kind == "long":
    Link.send = brief  # type: ignore[method-assign]
decoder.main()
