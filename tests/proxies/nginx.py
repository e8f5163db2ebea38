"""Nginx: real nginx in front of a server, with a configuration as people write it."""

from pathlib import Path
from types import TracebackType
from typing import Final

from tests.proxies.rig import Proxy
from tests.support.certificate import Certificate
from tests.support.daemon import Daemon
from tests.support.needs import program
from tests.support.server import HOST, ServerProcess, free_port

FRAME: Final = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; }}
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {block}
}}
"""
"""What a distribution's nginx.conf has around a site; one process, so that it needs no other user."""
DEFAULT: Final = "server { listen 80; location / { proxy_pass http://127.0.0.1:8000; } }"
"""What a person writes who has read nothing."""
TLS: Final = "listen 80 ssl; ssl_certificate {file}; ssl_certificate_key {key};"
"""In place of `listen 80;`, over https."""


def nginx() -> str:
    """Its path. Without it tests are skipped, but never in CI."""
    return program("nginx", "no nginx: install Debian's nginx-light")


class Nginx:
    """nginx on a free port with a configuration as people write it, for as long as `with` lasts."""

    def __init__(
        self, block: str, server: ServerProcess | Proxy, directory: Path, certificate: Certificate | None = None
    ) -> None:
        """`block` listens on 80 and passes to 127.0.0.1:8000; both are replaced. With a certificate it speaks https."""
        self.port = port = free_port()
        if certificate is not None:
            block = block.replace("listen 80;", TLS.format(file=certificate.file, key=certificate.key))
        for written, meant in (("listen 80", f"listen {HOST}:{port}"), (f"{HOST}:8000", f"{HOST}:{server.port}")):
            assert written in block
            block = block.replace(written, meant)
        self.url = f"{'http' if certificate is None else 'https'}://{HOST}:{port}"
        self._config = directory / "nginx.conf"
        self._config.write_text(FRAME.format(directory=directory, block=block))

    def __enter__(self) -> "Nginx":
        self._daemon = Daemon("RLIMIT_NOFILE")  # its last word before it serves; the sockets listen by then
        self._daemon.start([nginx(), "-p", str(self._config.parent), "-c", str(self._config)])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.stop()
