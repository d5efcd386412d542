from __future__ import annotations

import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline import catalogue, placement
from coralline.commands import farm
from coralline.errors import ProfileError
from coralline.placement import Farm, Placement

HOSTS = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True) | st.just("[fe80::1]")
PORTS = st.integers(1, 65_535)
STAGES = st.sampled_from(sorted(catalogue.specs()))


def refused(*words: str) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        placement.parse(words)
    return caught.value


def test_nothing_said_is_this_machine() -> None:
    assert placement.parse([]) == Placement()


@pytest.mark.parametrize(
    ("word", "farm"),
    [
        ("dask://head:8786", Farm(kind="dask", address="tcp://head:8786")),
        ("tls://head.lab:8786", Farm(kind="dask", address="tls://head.lab:8786")),
        ("slurm", Farm(kind="slurm")),
        ("htcondor", Farm(kind="htcondor")),
    ],
)
def test_a_farm_is_read(word: str, farm: Farm) -> None:
    assert placement.parse([word]).farm == farm


@pytest.mark.parametrize("address", ["ssh://pi", "ssh://pi@berry:2222", "tcp://10.0.0.7:2376", "tcp://[::1]:2375"])
def test_a_stage_is_placed(address: str) -> None:
    assert placement.parse([f"benchmark={address}"]).daemons == {"benchmark": address}


@given(st.dictionaries(STAGES, st.tuples(HOSTS, PORTS)), st.sampled_from(["slurm", "htcondor", None]))
def test_farm_and_daemons_go_together(stages: dict[str, tuple[str, int]], farm: str | None) -> None:
    daemons = {stage: f"tcp://{host}:{port}" for stage, (host, port) in stages.items()}
    words = [f"{stage}={address}" for stage, address in daemons.items()]
    told = placement.parse([*words, *([farm] if farm else [])])
    assert told == Placement(farm=Farm(kind=farm) if farm else None, daemons=daemons)


@given(st.text() | st.builds("{}={}".format, STAGES, st.text()) | st.builds("ssh://{}".format, st.text()))
def test_any_word_is_a_place_or_refused(word: str) -> None:
    with contextlib.suppress(ProfileError):
        told = placement.parse([word])
        assert told.farm is not None or told.daemons


@pytest.mark.parametrize(
    "address",
    [
        *("ssh://-oProxyCommand=evil", "ssh://-l@host", "ssh://user@-v", "ssh://a b", "ssh://", "ssh://host/path"),
        *("ssh://user:secret@host", "unix:///var/run/docker.sock", "http://host:2375", "tcp://host", "host:2375"),
        *("tcp://user@host:2375", "tcp://host:0", "tcp://host:65536", "ssh://host:022", "ssh://host\n", ""),
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert "--on" in refused(f"benchmark={address}").message


def test_a_wrong_word_names_the_nearest() -> None:
    assert "did you mean 'benchmark'?" in refused("benchmrk=ssh://pi").hint
    assert "did you mean 'slurm'?" in refused("slrum").hint
    assert "dask://HOST:PORT" in refused("dask://head").hint


def test_a_second_word_must_not_contradict_the_first() -> None:
    assert "twice" in refused("benchmark=ssh://a", "benchmark=ssh://b").message
    assert "two farms" in refused("slurm", "dask://head:8786").message


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.1", "[2001:db8::1]"])
def test_a_scheduler_cannot_listen_where_another_does_or_elsewhere(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(farm, "_become", pytest.fail)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        farm.start_scheduler(f"{host}:{taken.getsockname()[1]}")
    assert ended.value.code == ProfileError.code
    assert f"nothing can listen at {host}:" in capsys.readouterr().err
