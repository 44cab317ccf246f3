"""The one Piccolo app: its tables and its linear history of migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

_TABLES = (
    *("access", "audit", "authentication", "consumer", "domain", "event", "idempotency_key"),
    *("ingest", "label", "mailbox", "message", "notice", "outbound", "refused_mail", "route"),
    *("search", "sign_in", "tenant", "ticket", "user", "webhook"),
)

APP_CONFIG = AppConfig(
    app_name="pillarbox",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(modules=[f"app.storage.db.tables.{name}" for name in _TABLES]),
    migration_dependencies=[],
)
