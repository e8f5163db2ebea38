"""Apache: a real one in front of a server, with `ProxyPass` and nothing else, as people write it first."""

from pathlib import Path
from types import TracebackType
from typing import Final

from tests.support.certificate import Certificate
from tests.support.daemon import Daemon
from tests.support.needs import need, program
from tests.support.server import HOST, ServerProcess, free_port

FRAME: Final = """
ServerRoot {directory}
ServerName localhost
PidFile {directory}/apache.pid
DefaultRuntimeDir {directory}
Mutex file:{directory}
ErrorLog /dev/stderr
User www-data
Group www-data
StartServers 1
{modules}
Listen {listen}
{tls}
ProxyPass / http://{server}/
"""
"""What a distribution has around a site, and one line."""
MODULES: Final = ("mpm_event", "authz_core", "proxy", "proxy_http", "ssl", "socache_shmcb")
PLACES: Final = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules")


class Apache:
    """On a free port, for as long as `with` lasts; over https if there is a certificate."""

    def __init__(self, server: ServerProcess, directory: Path, certificate: Certificate | None = None) -> None:
        self.port = free_port()
        self._file = directory / "apache.conf"
        found = next((place for place in PLACES if Path(place).exists()), None)
        place = need(found, "no Apache: install Debian's apache2")
        tls = ""
        if certificate is not None:
            tls = f"SSLEngine on\nSSLCertificateFile {certificate.file}\nSSLCertificateKeyFile {certificate.key}"
        block = FRAME.format(
            directory=directory,
            modules="\n".join(f"LoadModule {name}_module {place}/mod_{name}.so" for name in MODULES),
            listen=f"{HOST}:{self.port}",
            tls=tls,
            server=f"{HOST}:{server.port}",
        )
        self._file.write_text(block)

    def __enter__(self) -> "Apache":
        self._daemon = Daemon("resuming normal operations")
        self._daemon.start([program("apache2"), "-f", str(self._file), "-DFOREGROUND"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.stop(is_parent=True)
