"""Parts that the application gives to its handlers, which no request can name.

They are wired once in `app.main`; checking them again at each request would cost more than most
requests do.
"""

from litestar.params import SkipValidation as Given

__all__ = ["Given"]
