"""The rules of test_transport.py again, without the straight path of `Transport.send`: both ways must keep them alike."""

from __future__ import annotations

import pytest

from tests.transport import test_transport
from tests.transport.test_transport import *  # noqa: F403 - its tests and fixtures

pytestmark = [*test_transport.pytestmark, pytest.mark.long, pytest.mark.usefixtures("in_full")]
