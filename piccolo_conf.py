"""Where Piccolo looks for its database and its tables.

Every process of Pillarbox tells the engine its address when it opens the database. Run on its
own, the `piccolo` command takes it from DATABASE_URL.
"""

import os

from piccolo.conf.apps import AppRegistry

from app.storage.db.engine import LazyPostgresEngine

DB = LazyPostgresEngine(config={"dsn": os.environ.get("DATABASE_URL")}, extensions=())
APP_REGISTRY = AppRegistry(apps=["app.storage.db.piccolo_app"])
