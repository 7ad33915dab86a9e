"""A real receiver of webhooks: TLS, a certificate for one name, on the loopback; it answers as the script says.

Rule: no test here. The certificate is made anew for each run, by the program openssl.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from ..programs import needed

NAME = "hooks.example.com"


def certificate(folder: Path) -> Path:
    """A key and a certificate for NAME, in one file."""
    program = needed("openssl", "openssl")
    path = folder / "certificate.pem"
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    names = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    subprocess.run(
        [program, *made, *names, "-keyout", path, "-out", folder / "public.pem"], check=True, capture_output=True
    )
    path.write_bytes(path.read_bytes() + (folder / "public.pem").read_bytes())
    return path


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate.with_name("public.pem")))


class Receiver:
    """Keeps what came. A status of 0 never answers, -1 answers without end."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.names: list[str] = []  # that were asked for while TLS began
        self.sent_bytes = 0

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.came.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            await asyncio.Event().wait()
        if status == -1:
            return await self._without_end(request)
        headers = {"location": "https://elsewhere.example.com/"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=headers)

    async def _without_end(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))
            self.sent_bytes += 65_536

    def hello(self, _socket: object, name: str | None, _context: object) -> None:
        self.names.append(name or "")


@asynccontextmanager
async def receiving(
    receiver: Receiver, certificate: Path, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.sni_callback = receiver.hello
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=context).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
