"""Whose models a gateway takes from its cloud, as it changes while the agent runs."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path

from edge.detect.trust import KEYS_MAX, keep_cloud_keys
from edge.errors import StorageError
from protos.model_key import PUBLIC_BYTES

log = logging.getLogger(__name__)


class Signers:
    """The public keys that are trusted.

    Args:
        identity: the folder of the gateway's identity, where the cloud's keys are kept.
        trusted: reads the keys of the cloud and of the settings.
    """

    def __init__(self, identity: Path, trusted: Callable[[], frozenset[bytes]]) -> None:
        self._identity, self._trusted = identity, trusted
        self.keys = trusted()

    def told(self, keys: Collection[bytes]) -> bool:
        """The cloud says what its keys are; whether that changes whose models are taken.

        A cloud that says none has none yet: what it said before stays. StorageError when they
        cannot be kept.
        """
        fit = [key for key in keys if len(key) == PUBLIC_BYTES][:KEYS_MAX]
        if not fit:
            return False
        try:
            if not keep_cloud_keys(self._identity, fit):
                return False
        except OSError as error:
            tried, hint = f"keep the cloud's model keys in {self._identity}", "check the disk"
            raise StorageError(tried, error.strerror or str(error), hint) from error
        log.info("the cloud signs models with %d keys", len(fit))
        before, self.keys = self.keys, self._trusted()
        return self.keys != before
