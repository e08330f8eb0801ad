"""A server of the toy network for the tests of one file."""

import pytest
from support.served import running


@pytest.fixture(scope="module")
def client():
    with running(max_sessions=40, max_frame_bytes=2**20, max_objects=3) as made:
        yield made
