pytest_plugins = ["pillarbox_client.testing"]
