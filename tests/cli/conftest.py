"""What commands are run in."""

import pytest

from app.settings import Settings


@pytest.fixture
def installed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names a database, as where `up` does not run."""
    assert settings.database_url
    assert settings.redis_url
    for name, value in {
        "DATABASE_URL": settings.database_url.reveal(),
        "REDIS_URL": settings.redis_url.reveal(),
        "SECRET_KEY": settings.secret_key.reveal(),
        "ENCRYPTION_KEY": settings.encryption_key.reveal(),
        "PILLARBOX_DATA": str(settings.pillarbox_data),
    }.items():
        monkeypatch.setenv(name, value)
