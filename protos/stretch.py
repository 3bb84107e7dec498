"""Pure: names of stretches of unsynced time, by which a correction finds its readings.

While a gateway's clock is not synchronised its stamps lie on a line of their own: a base that is
fixed when the stretch begins, plus the time since boot. A reading stamped so has ``arrival`` =
``ts`` + the stretch's tag (a true arrival would equal ``ts`` and say nothing), so that it can be
told from readings of other boots that claim the same time. The record that corrects it carries the
boot's id and ``mono_from``, from which the tag follows.
"""

import hashlib
import struct
from typing import Final

TAG_MAX: Final = 1 << 30
"""Tags are 1 … TAG_MAX, in µs: at most 18 minutes for a reader who takes them for a lag."""

_DOMAIN: Final = b"tidegate stretch 1\0"


def stretch_tag(boot_id: bytes, mono_from: int) -> int:
    """The tag of the stretch of a boot that began ``mono_from`` µs after it.

    Two stretches of one gateway that also claim the same times share a tag once in 2^30.
    """
    digest = hashlib.sha256(_DOMAIN + boot_id + struct.pack(">q", mono_from)).digest()
    return 1 + int.from_bytes(digest[:4], "big") % TAG_MAX
