"""Parts that the application gives to its handlers, which no request can name.

They are wired once in `app.main`; checking them again at each request would cost more than most
requests do.
"""

from litestar import Litestar
from litestar.params import SkipValidation as Given
from litestar.routes import HTTPRoute

__all__ = ["Given", "give_in_turn"]


def give_in_turn(app: Litestar) -> None:
    """Has what a handler depends on looked up in turn. The framework makes a task for each, to wait
    for all of them at once; ours are there already, and the tasks take a tenth of a page's time."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [
                    {dependency} for batch in model.dependency_batches for dependency in batch
                ]
