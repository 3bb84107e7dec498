"""Tables of a former version: the columns that rollups have gained since, added in one commit."""

from typing import Final

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction

from cloud.lake.table.schema import TableSpec, added, delta_schema
from cloud.lake.table.state import APP

_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def add_columns(handle: DeltaTable, spec: TableSpec, offset: int) -> bool:
    """Commit the columns `added` since, at the offset as it stands; False when none lacks.

    Rows from before have null there; no file is written. The commit is not on the disk yet.
    """
    if not added(spec):
        return False
    there = {field.name for field in handle.schema().fields}
    wanted = Schema.from_arrow(delta_schema(spec)).fields
    lacking = [field for field in wanted if field.name not in there]
    if not lacking:
        return False
    stands = CommitProperties(max_commit_retries=0, app_transactions=[Transaction(APP, offset)])
    handle.alter.add_columns(
        lacking, commit_properties=stands, post_commithook_properties=_NO_HOOKS
    )
    return True
