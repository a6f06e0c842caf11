"""The rules of test_semantics.py again, without the straight path of `Transport.send`: both ways must keep them alike."""

from __future__ import annotations

import pytest

from tests.transport import test_semantics
from tests.transport.test_semantics import *  # noqa: F403 - its tests and fixtures

pytestmark = [*test_semantics.pytestmark, pytest.mark.long, pytest.mark.usefixtures("in_full")]
