"""The page's files, read once: there is no path from a request to the file system."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


class StaticFiles:
    """Every file of the folder, by name, with an entity tag of its content."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._files = {
            path.name: (path.read_bytes(), CONTENT_TYPES[path.suffix])
            for path in sorted(folder.iterdir())
            if path.suffix in CONTENT_TYPES
        }
        self._tags = {name: f'"{hashlib.sha256(body).hexdigest()[:16]}"' for name, (body, _) in self._files.items()}

    def respond(self, request: web.Request, name: str) -> web.Response:
        """The file, or 304 when the browser has it. Raises HTTPNotFound."""
        if name not in self._files:
            raise web.HTTPNotFound
        body, content_type = self._files[name]
        headers = {"Content-Type": content_type, "ETag": self._tags[name], "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == self._tags[name]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)


FILES = StaticFiles()  # read at import, before a loop runs
