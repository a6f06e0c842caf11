# The public names. `__init__.py` reads this file.

from callsavvy_async._version import __version__ as __version__
from callsavvy_async.batching.batcher import Batcher as Batcher
from callsavvy_async.bulk.bulk import Bulk as Bulk
from callsavvy_async.bulk.options import BulkOptions as BulkOptions
from callsavvy_async.bulk.plan import Plan as Plan
from callsavvy_async.bulk.recipient_files import read_rows as read_rows, read_suppressed as read_suppressed
from callsavvy_async.bulk.recipients import Recipient as Recipient, SkipReason as SkipReason
from callsavvy_async.bulk.report import (
    BulkReport as BulkReport,
    ChunkResult as ChunkResult,
    ChunkState as ChunkState,
    StopReason as StopReason,
)
from callsavvy_async.bulk.run import BulkRun as BulkRun
from callsavvy_async.client import Callsavvy as Callsavvy
from callsavvy_async.client_options import ClientOptions as ClientOptions
from callsavvy_async.config import BASE_URL as BASE_URL, Credentials as Credentials
from callsavvy_async.errors import (
    Attempt as Attempt,
    AuthenticationError as AuthenticationError,
    BadRequestError as BadRequestError,
    CallsavvyError as CallsavvyError,
    ClientClosedError as ClientClosedError,
    ConfigurationError as ConfigurationError,
    ConnectError as ConnectError,
    ConnectionLostError as ConnectionLostError,
    DeadlineExceededError as DeadlineExceededError,
    DecodeError as DecodeError,
    InsufficientBalanceError as InsufficientBalanceError,
    InvalidRequestError as InvalidRequestError,
    KeyReusedError as KeyReusedError,
    NoResponseError as NoResponseError,
    NotFoundError as NotFoundError,
    NotSentError as NotSentError,
    Outcome as Outcome,
    OutcomeUnknownError as OutcomeUnknownError,
    PermissionDeniedError as PermissionDeniedError,
    RateLimitError as RateLimitError,
    RedirectError as RedirectError,
    RejectedError as RejectedError,
    RequestError as RequestError,
    RequestTimeoutError as RequestTimeoutError,
    ResponseTooLargeError as ResponseTooLargeError,
    ServerError as ServerError,
    ServiceUnavailableError as ServiceUnavailableError,
)
from callsavvy_async.messages import SMS as SMS, Message as Message, Robocall as Robocall, WhatsApp as WhatsApp
from callsavvy_async.models import SendReceipt as SendReceipt
from callsavvy_async.policy.adaptive import Adaptive as Adaptive
from callsavvy_async.policy.fixed import FixedRate as FixedRate, Unlimited as Unlimited
from callsavvy_async.transport.options import RequestOptions as RequestOptions
from callsavvy_async.transport.request_context import RawResponse as RawResponse
from callsavvy_async.transport.shared.settings import SharedPacing as SharedPacing
from callsavvy_async.wire.endpoint import Effect as Effect
