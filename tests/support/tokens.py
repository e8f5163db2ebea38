"""Keys, tokens that no issuer would make, and an issuer that shows its keys: a real server on this machine."""

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from service.access.keys import KeyRing
from service.access.tokens import Verifier
from service.core.time import Clock

SECRET: Final = bytes(range(32))
OTHER_SECRET: Final = bytes(range(1, 33))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def entry(kid: str | None = "a", key: bytes = SECRET, **more: Any) -> dict[str, Any]:
    """Of a ring: a secret for HS256."""
    return {**({"kid": kid} if kid is not None else {}), "alg": "HS256", "key": b64(key), **more}


def ring(clock: Clock, *entries: Mapping[str, Any], audience: str = "") -> KeyRing:
    return KeyRing.read(json.dumps(entries), clock, audience=audience)


def verifier(keys: KeyRing, clock: Clock, **how: Any) -> Verifier:
    return Verifier(keys, clock, **({"audience": "", "max_ttl": 86_400.0, "without_exp": False} | how))


def raw(header: object, claims: object, key: bytes = SECRET) -> str:
    """Whatever header and claims, JSON text or what makes it, signed with HMAC-SHA-256."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in (header, claims)]
    signed = ".".join(b64(text.encode("utf-8", "surrogatepass")) for text in texts)
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), sha256))}"


def private_key(kind: str, number: int = 0) -> Any:
    """A private key of this kind, the same one each time it is asked for; another one for another number."""
    return _made(kind, number)


@cache
def _made(kind: str, number: int) -> Any:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65_537, int(kind[3:] or 2048))
    if kind == "ed":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}[kind]())


def pem(kind: str, number: int = 0) -> str:
    key = private_key(kind, number).public_key()
    return str(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def signed(claims: Mapping[str, Any], kind: str, algorithm: str, number: int = 0, **header: Any) -> str:
    return jwt.encode(dict(claims), private_key(kind, number), algorithm, header)


_READERS: Final = {"rsa": "RS256", "p256": "ES256", "p384": "ES384", "ed": "EdDSA"}


def jwk(kind: str, kid: str | None, number: int = 0, **more: Any) -> dict[str, Any]:
    algorithm = get_default_algorithms()[_READERS[kind]]
    found = json.loads(algorithm.to_jwk(private_key(kind, number).public_key()))
    found.pop("key_ops", None)
    return {**found, **({"kid": kid} if kid is not None else {}), **more}


class Issuer:
    """Shows `body`, or does what `does` says. `asked` counts the requests."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.does: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.asked = 0
        self.is_asked = threading.Semaphore(0)

    def shows(self, *keys: Mapping[str, Any]) -> None:
        self.status, self.body = 200, json.dumps({"keys": keys}).encode()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        if self.does is not None:
            self.does(request)
        else:
            request.send_response(self.status)
            for name, value in {"Content-Length": str(len(self.body)), **self.headers}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(self.body)
        self.is_asked.release()


@contextmanager
def issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Issuer(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()
