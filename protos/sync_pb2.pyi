from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODE_UNSPECIFIED: _ClassVar[Code]
    PROTOCOL_UNSUPPORTED: _ClassVar[Code]
    NAME_MISMATCH: _ClassVar[Code]
    FENCED: _ClassVar[Code]
    FORK: _ClassVar[Code]
    CLONE: _ClassVar[Code]
    OVERLOADED: _ClassVar[Code]
    MALFORMED: _ClassVar[Code]
    SERIES_UNKNOWN: _ClassVar[Code]
    REVOKED: _ClassVar[Code]
    EPOCH_UNKNOWN: _ClassVar[Code]
    OUT_OF_ORDER: _ClassVar[Code]
    NOT_ENROLLED: _ClassVar[Code]
    STORAGE_FAILED: _ClassVar[Code]
    SHUTTING_DOWN: _ClassVar[Code]
    SERIES_CONFLICT: _ClassVar[Code]
    RENEWAL_DUE: _ClassVar[Code]

class ClockQuality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOCK_UNSPECIFIED: _ClassVar[ClockQuality]
    CLOCK_SYNCED: _ClassVar[ClockQuality]
    CLOCK_UNSYNCED: _ClassVar[ClockQuality]

class ModelStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STAGE_UNSPECIFIED: _ClassVar[ModelStage]
    MODEL_SHADOW: _ClassVar[ModelStage]
    MODEL_CANARY: _ClassVar[ModelStage]
    MODEL_ALL: _ClassVar[ModelStage]

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_FETCHING: _ClassVar[ModelState]
    MODEL_TRIED: _ClassVar[ModelState]
    MODEL_GOOD: _ClassVar[ModelState]
    MODEL_FAILED: _ClassVar[ModelState]
    MODEL_REFUSED: _ClassVar[ModelState]
CODE_UNSPECIFIED: Code
PROTOCOL_UNSUPPORTED: Code
NAME_MISMATCH: Code
FENCED: Code
FORK: Code
CLONE: Code
OVERLOADED: Code
MALFORMED: Code
SERIES_UNKNOWN: Code
REVOKED: Code
EPOCH_UNKNOWN: Code
OUT_OF_ORDER: Code
NOT_ENROLLED: Code
STORAGE_FAILED: Code
SHUTTING_DOWN: Code
SERIES_CONFLICT: Code
RENEWAL_DUE: Code
CLOCK_UNSPECIFIED: ClockQuality
CLOCK_SYNCED: ClockQuality
CLOCK_UNSYNCED: ClockQuality
MODEL_STAGE_UNSPECIFIED: ModelStage
MODEL_SHADOW: ModelStage
MODEL_CANARY: ModelStage
MODEL_ALL: ModelStage
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_FETCHING: ModelState
MODEL_TRIED: ModelState
MODEL_GOOD: ModelState
MODEL_FAILED: ModelState
MODEL_REFUSED: ModelState

class RenewRequest(_message.Message):
    __slots__ = ("csr_der", "agent_version")
    CSR_DER_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    csr_der: bytes
    agent_version: str
    def __init__(self, csr_der: _Optional[bytes] = ..., agent_version: _Optional[str] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("certificate_der", "life_us", "fault")
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    LIFE_US_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    certificate_der: bytes
    life_us: int
    fault: Fault
    def __init__(self, certificate_der: _Optional[bytes] = ..., life_us: _Optional[int] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ...) -> None: ...

class EnrolRequest(_message.Message):
    __slots__ = ("token_id", "token_secret", "gateway", "csr_der", "protocol_min", "protocol_max", "agent_version")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_SECRET_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    CSR_DER_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    token_id: bytes
    token_secret: bytes
    gateway: str
    csr_der: bytes
    protocol_min: int
    protocol_max: int
    agent_version: str
    def __init__(self, token_id: _Optional[bytes] = ..., token_secret: _Optional[bytes] = ..., gateway: _Optional[str] = ..., csr_der: _Optional[bytes] = ..., protocol_min: _Optional[int] = ..., protocol_max: _Optional[int] = ..., agent_version: _Optional[str] = ...) -> None: ...

class EnrolResponse(_message.Message):
    __slots__ = ("certificate_der", "ca_der", "sync_address", "cloud_name")
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    CA_DER_FIELD_NUMBER: _ClassVar[int]
    SYNC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLOUD_NAME_FIELD_NUMBER: _ClassVar[int]
    certificate_der: bytes
    ca_der: bytes
    sync_address: str
    cloud_name: str
    def __init__(self, certificate_der: _Optional[bytes] = ..., ca_der: _Optional[bytes] = ..., sync_address: _Optional[str] = ..., cloud_name: _Optional[str] = ...) -> None: ...

class GatewayMessage(_message.Message):
    __slots__ = ("hello", "declare", "block", "epoch_request", "status", "model_ask", "model_report")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    DECLARE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    EPOCH_REQUEST_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MODEL_ASK_FIELD_NUMBER: _ClassVar[int]
    MODEL_REPORT_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    declare: Declare
    block: BlockData
    epoch_request: EpochRequest
    status: Status
    model_ask: ModelAsk
    model_report: ModelReport
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., declare: _Optional[_Union[Declare, _Mapping]] = ..., block: _Optional[_Union[BlockData, _Mapping]] = ..., epoch_request: _Optional[_Union[EpochRequest, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., model_ask: _Optional[_Union[ModelAsk, _Mapping]] = ..., model_report: _Optional[_Union[ModelReport, _Mapping]] = ...) -> None: ...

class CloudMessage(_message.Message):
    __slots__ = ("resume", "ack", "resend", "epoch_grant", "fault", "terms", "model_offers", "model_piece")
    RESUME_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    RESEND_FIELD_NUMBER: _ClassVar[int]
    EPOCH_GRANT_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_OFFERS_FIELD_NUMBER: _ClassVar[int]
    MODEL_PIECE_FIELD_NUMBER: _ClassVar[int]
    resume: Resume
    ack: Ack
    resend: Resend
    epoch_grant: EpochGrant
    fault: Fault
    terms: CertificateTerms
    model_offers: ModelOffers
    model_piece: ModelPiece
    def __init__(self, resume: _Optional[_Union[Resume, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., resend: _Optional[_Union[Resend, _Mapping]] = ..., epoch_grant: _Optional[_Union[EpochGrant, _Mapping]] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ..., terms: _Optional[_Union[CertificateTerms, _Mapping]] = ..., model_offers: _Optional[_Union[ModelOffers, _Mapping]] = ..., model_piece: _Optional[_Union[ModelPiece, _Mapping]] = ...) -> None: ...

class CertificateTerms(_message.Message):
    __slots__ = ("life_us", "left_us", "asked")
    LIFE_US_FIELD_NUMBER: _ClassVar[int]
    LEFT_US_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    life_us: int
    left_us: int
    asked: bool
    def __init__(self, life_us: _Optional[int] = ..., left_us: _Optional[int] = ..., asked: _Optional[bool] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_min", "protocol_max", "gateway", "epoch", "head", "head_hash", "oldest_kept", "boot_id", "series_high", "series_root", "agent_version", "status", "generation", "mono_us")
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    HEAD_HASH_FIELD_NUMBER: _ClassVar[int]
    OLDEST_KEPT_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    SERIES_HIGH_FIELD_NUMBER: _ClassVar[int]
    SERIES_ROOT_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    MONO_US_FIELD_NUMBER: _ClassVar[int]
    protocol_min: int
    protocol_max: int
    gateway: str
    epoch: int
    head: int
    head_hash: bytes
    oldest_kept: int
    boot_id: bytes
    series_high: int
    series_root: bytes
    agent_version: str
    status: Status
    generation: int
    mono_us: int
    def __init__(self, protocol_min: _Optional[int] = ..., protocol_max: _Optional[int] = ..., gateway: _Optional[str] = ..., epoch: _Optional[int] = ..., head: _Optional[int] = ..., head_hash: _Optional[bytes] = ..., oldest_kept: _Optional[int] = ..., boot_id: _Optional[bytes] = ..., series_high: _Optional[int] = ..., series_root: _Optional[bytes] = ..., agent_version: _Optional[str] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., generation: _Optional[int] = ..., mono_us: _Optional[int] = ...) -> None: ...

class Resume(_message.Message):
    __slots__ = ("protocol", "session", "generation", "epoch", "stored", "archived", "stored_hash", "window_bytes", "series_known")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    STORED_HASH_FIELD_NUMBER: _ClassVar[int]
    WINDOW_BYTES_FIELD_NUMBER: _ClassVar[int]
    SERIES_KNOWN_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    session: int
    generation: int
    epoch: int
    stored: int
    archived: int
    stored_hash: bytes
    window_bytes: int
    series_known: int
    def __init__(self, protocol: _Optional[int] = ..., session: _Optional[int] = ..., generation: _Optional[int] = ..., epoch: _Optional[int] = ..., stored: _Optional[int] = ..., archived: _Optional[int] = ..., stored_hash: _Optional[bytes] = ..., window_bytes: _Optional[int] = ..., series_known: _Optional[int] = ...) -> None: ...

class EpochRequest(_message.Message):
    __slots__ = ("session", "closed_epoch", "why")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CLOSED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    session: int
    closed_epoch: int
    why: str
    def __init__(self, session: _Optional[int] = ..., closed_epoch: _Optional[int] = ..., why: _Optional[str] = ...) -> None: ...

class EpochGrant(_message.Message):
    __slots__ = ("session", "epoch", "previous_epoch", "series_known", "stored_chunks", "previous_stored", "stored_epoch")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SERIES_KNOWN_FIELD_NUMBER: _ClassVar[int]
    STORED_CHUNKS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_STORED_FIELD_NUMBER: _ClassVar[int]
    STORED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    session: int
    epoch: int
    previous_epoch: int
    series_known: int
    stored_chunks: _containers.RepeatedCompositeFieldContainer[ChunkRun]
    previous_stored: int
    stored_epoch: int
    def __init__(self, session: _Optional[int] = ..., epoch: _Optional[int] = ..., previous_epoch: _Optional[int] = ..., series_known: _Optional[int] = ..., stored_chunks: _Optional[_Iterable[_Union[ChunkRun, _Mapping]]] = ..., previous_stored: _Optional[int] = ..., stored_epoch: _Optional[int] = ...) -> None: ...

class ChunkRun(_message.Message):
    __slots__ = ("prefix", "first", "count")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    prefix: bytes
    first: int
    count: int
    def __init__(self, prefix: _Optional[bytes] = ..., first: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class Declare(_message.Message):
    __slots__ = ("session", "epoch", "first", "entries")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    session: int
    epoch: int
    first: int
    entries: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, session: _Optional[int] = ..., epoch: _Optional[int] = ..., first: _Optional[int] = ..., entries: _Optional[_Iterable[bytes]] = ...) -> None: ...

class BlockData(_message.Message):
    __slots__ = ("session", "epoch", "seq", "data")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    session: int
    epoch: int
    seq: int
    data: bytes
    def __init__(self, session: _Optional[int] = ..., epoch: _Optional[int] = ..., seq: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("session", "epoch", "stored", "archived", "series_known")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    SERIES_KNOWN_FIELD_NUMBER: _ClassVar[int]
    session: int
    epoch: int
    stored: int
    archived: int
    series_known: int
    def __init__(self, session: _Optional[int] = ..., epoch: _Optional[int] = ..., stored: _Optional[int] = ..., archived: _Optional[int] = ..., series_known: _Optional[int] = ...) -> None: ...

class Resend(_message.Message):
    __slots__ = ("session", "epoch", "from_seq")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    session: int
    epoch: int
    from_seq: int
    def __init__(self, session: _Optional[int] = ..., epoch: _Optional[int] = ..., from_seq: _Optional[int] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("code", "message", "hint", "retry_after_ms")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    code: Code
    message: str
    hint: str
    retry_after_ms: int
    def __init__(self, code: _Optional[_Union[Code, str]] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("backlog_rows", "backlog_bytes", "buffer_bytes", "buffer_bytes_max", "clock_quality", "key_tier", "certificate_not_after_us", "rejected", "evicted", "ignored", "collapsed", "readings", "anomalies", "wall_us", "series")
    BACKLOG_ROWS_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    BUFFER_BYTES_FIELD_NUMBER: _ClassVar[int]
    BUFFER_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    CLOCK_QUALITY_FIELD_NUMBER: _ClassVar[int]
    KEY_TIER_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_NOT_AFTER_US_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    EVICTED_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    COLLAPSED_FIELD_NUMBER: _ClassVar[int]
    READINGS_FIELD_NUMBER: _ClassVar[int]
    ANOMALIES_FIELD_NUMBER: _ClassVar[int]
    WALL_US_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    backlog_rows: int
    backlog_bytes: int
    buffer_bytes: int
    buffer_bytes_max: int
    clock_quality: ClockQuality
    key_tier: str
    certificate_not_after_us: int
    rejected: int
    evicted: int
    ignored: int
    collapsed: int
    readings: int
    anomalies: int
    wall_us: int
    series: int
    def __init__(self, backlog_rows: _Optional[int] = ..., backlog_bytes: _Optional[int] = ..., buffer_bytes: _Optional[int] = ..., buffer_bytes_max: _Optional[int] = ..., clock_quality: _Optional[_Union[ClockQuality, str]] = ..., key_tier: _Optional[str] = ..., certificate_not_after_us: _Optional[int] = ..., rejected: _Optional[int] = ..., evicted: _Optional[int] = ..., ignored: _Optional[int] = ..., collapsed: _Optional[int] = ..., readings: _Optional[int] = ..., anomalies: _Optional[int] = ..., wall_us: _Optional[int] = ..., series: _Optional[int] = ...) -> None: ...

class ModelOffers(_message.Message):
    __slots__ = ("session", "offers", "withdrawn", "keys")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    session: int
    offers: _containers.RepeatedCompositeFieldContainer[ModelOffer]
    withdrawn: _containers.RepeatedScalarFieldContainer[int]
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, session: _Optional[int] = ..., offers: _Optional[_Iterable[_Union[ModelOffer, _Mapping]]] = ..., withdrawn: _Optional[_Iterable[int]] = ..., keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ModelOffer(_message.Message):
    __slots__ = ("rollout", "name", "version", "sha256", "size", "stage", "downgrade", "trial_us")
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DOWNGRADE_FIELD_NUMBER: _ClassVar[int]
    TRIAL_US_FIELD_NUMBER: _ClassVar[int]
    rollout: int
    name: str
    version: str
    sha256: bytes
    size: int
    stage: ModelStage
    downgrade: bool
    trial_us: int
    def __init__(self, rollout: _Optional[int] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[bytes] = ..., size: _Optional[int] = ..., stage: _Optional[_Union[ModelStage, str]] = ..., downgrade: _Optional[bool] = ..., trial_us: _Optional[int] = ...) -> None: ...

class ModelAsk(_message.Message):
    __slots__ = ("session", "sha256", "offset")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    session: int
    sha256: bytes
    offset: int
    def __init__(self, session: _Optional[int] = ..., sha256: _Optional[bytes] = ..., offset: _Optional[int] = ...) -> None: ...

class ModelPiece(_message.Message):
    __slots__ = ("session", "sha256", "offset", "data", "refused")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    session: int
    sha256: bytes
    offset: int
    data: bytes
    refused: str
    def __init__(self, session: _Optional[int] = ..., sha256: _Optional[bytes] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., refused: _Optional[str] = ...) -> None: ...

class ModelReport(_message.Message):
    __slots__ = ("session", "models")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    session: int
    models: _containers.RepeatedCompositeFieldContainer[ModelBehaviour]
    def __init__(self, session: _Optional[int] = ..., models: _Optional[_Iterable[_Union[ModelBehaviour, _Mapping]]] = ...) -> None: ...

class ModelBehaviour(_message.Message):
    __slots__ = ("rollout", "name", "version", "sha256", "stage", "state", "bytes_held", "windows", "scored", "alarms", "errors", "mean_us", "p99_us", "memory_bytes", "reason", "promised_per_week", "series_weeks", "beside_alarms")
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BYTES_HELD_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    SCORED_FIELD_NUMBER: _ClassVar[int]
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    MEAN_US_FIELD_NUMBER: _ClassVar[int]
    P99_US_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROMISED_PER_WEEK_FIELD_NUMBER: _ClassVar[int]
    SERIES_WEEKS_FIELD_NUMBER: _ClassVar[int]
    BESIDE_ALARMS_FIELD_NUMBER: _ClassVar[int]
    rollout: int
    name: str
    version: str
    sha256: bytes
    stage: ModelStage
    state: ModelState
    bytes_held: int
    windows: int
    scored: int
    alarms: int
    errors: int
    mean_us: float
    p99_us: float
    memory_bytes: int
    reason: str
    promised_per_week: float
    series_weeks: float
    beside_alarms: int
    def __init__(self, rollout: _Optional[int] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[bytes] = ..., stage: _Optional[_Union[ModelStage, str]] = ..., state: _Optional[_Union[ModelState, str]] = ..., bytes_held: _Optional[int] = ..., windows: _Optional[int] = ..., scored: _Optional[int] = ..., alarms: _Optional[int] = ..., errors: _Optional[int] = ..., mean_us: _Optional[float] = ..., p99_us: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., reason: _Optional[str] = ..., promised_per_week: _Optional[float] = ..., series_weeks: _Optional[float] = ..., beside_alarms: _Optional[int] = ...) -> None: ...
