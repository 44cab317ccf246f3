"""Valkey from the wheel, or a program that is named."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from installation import wait_until

from app.embedded.errors import AlreadyRunning, EngineFailed
from app.embedded.valkey import EmbeddedValkey


@pytest.fixture
def valkey(folder: Path) -> Iterator[EmbeddedValkey]:
    engine = EmbeddedValkey(data_folder=folder / "valkey", socket_folder=folder / "sockets")
    yield engine
    engine.stop()


def start(valkey: EmbeddedValkey) -> redis.Redis:
    valkey.start()
    valkey.wait_ready()
    return redis.Redis.from_url(valkey.url, decode_responses=True)


def test_it_refuses_writes_before_it_forgets_and_listens_on_its_socket_only(
    valkey: EmbeddedValkey,
) -> None:
    client = start(valkey)
    settings = client.config_get("appendonly", "maxmemory-policy", "port", "save")
    assert settings == {
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "save": "",
    }
    assert valkey.socket_folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_keys_are_kept_when_it_ends_and_starts_again(
    valkey: EmbeddedValkey, number: signal.Signals
) -> None:
    client = start(valkey)
    client.set("kept", "yes")
    assert valkey.process
    valkey.process.send_signal(number)
    wait_until(lambda: not valkey.running)
    assert start(valkey).get("kept") == "yes"


def test_keys_are_kept_when_it_is_stopped(valkey: EmbeddedValkey) -> None:
    start(valkey).set("kept", "yes")
    valkey.stop()
    assert start(valkey).get("kept") == "yes"


def test_a_second_one_is_refused_when_the_folder_is_in_use(valkey: EmbeddedValkey) -> None:
    start(valkey)
    second = EmbeddedValkey(data_folder=valkey.data_folder, socket_folder=valkey.socket_folder)
    with pytest.raises(AlreadyRunning, match="already runs"):
        second.start()
    assert valkey.is_ready()


def test_a_missing_program_is_named_by_its_setting(folder: Path) -> None:
    engine = EmbeddedValkey(
        data_folder=folder / "valkey", socket_folder=folder / "sockets", binary=folder / "nowhere"
    )
    with pytest.raises(EngineFailed, match=r"VALKEY_BIN: there is no program .*/nowhere"):
        engine.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another account")
def test_its_process_is_not_of_root_when_root_starts_it(valkey: EmbeddedValkey) -> None:
    start(valkey)
    assert valkey.process
    assert Path(f"/proc/{valkey.process.pid}").stat().st_uid != 0
