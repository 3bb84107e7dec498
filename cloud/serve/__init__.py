"""The HTTP API and the page: `app` has the routes, `params` reads questions strictly.

`fleet` and `history` write the answers, `shell` surrounds every one with its headers.
"""

from cloud.serve.app import build_app

__all__ = ["build_app"]
