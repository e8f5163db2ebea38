"""Descriptors: the limit, the places within it, and the probe that tells when none is left."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.access.descriptors import RESERVE, Descriptors, raise_limit


@pytest.fixture
def limited() -> Iterator[None]:
    """The soft limit is what a test sets, and what it was afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def limit(soft: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


@pytest.mark.usefixtures("limited")
def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    limit(512)
    raise_limit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("soft", [200, 512, 1_024, 4_096])
def test_streams_leave_a_reserve(soft: int) -> None:
    limit(soft)
    descriptors = Descriptors()
    assert descriptors.limit == soft
    assert soft - 512 < descriptors.places <= soft - RESERVE
    assert descriptors.places < descriptors.connections < soft


@pytest.mark.usefixtures("limited")
def test_there_is_always_one_place() -> None:
    limit(100)
    assert Descriptors().places == 1
    assert Descriptors().connections >= 1


@pytest.mark.usefixtures("limited")
def test_running_out_is_told_once_and_so_is_its_end() -> None:
    descriptors = Descriptors()
    descriptors.probe()
    taken: list[int] = []
    with capture_logs() as lines:
        limit(max(int(path.name) for path in Path("/proc/self/fd").iterdir()) + 8)
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            for _ in range(3):
                descriptors.probe()
        finally:
            for one in taken:
                os.close(one)
        assert descriptors.is_exhausted
        for _ in range(3):
            descriptors.probe()
    assert [line["event"] for line in lines] == ["descriptors_exhausted", "descriptors_free_again"]
    assert (descriptors.is_exhausted, descriptors.exhaustions) == (False, 1)
