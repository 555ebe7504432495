"""A certificate authority of a test, and certificates that it signs, made by the program openssl."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import ServerMissing

PASSWORD = "of the key"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path


class Authority:
    """An authority of its own in `folder`. Raises ServerMissing where openssl is not installed."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            raise ServerMissing("openssl is not installed")
        self._folder = folder
        self._pair = Pair(folder / "ca.pem", folder / "ca.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"),
            *("-keyout", self._pair.key, "-out", self._pair.certificate, "-subj", "/CN=Test CA"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    @property
    def file(self) -> Path:
        """The certificate of the authority."""
        return self._pair.certificate

    def signed(self, name: str, *, days: int = 30, password: str | None = None) -> Pair:
        """A certificate for the host `name`, which is also its common name. `days` below 0: it is over."""
        key, request, certificate = (self._folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        protection = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *protection),
            *("-keyout", key, "-out", request, "-subj", f"/CN={name}"),
        )
        extension = self._folder / f"{name}.ext"
        extension.write_text(f"subjectAltName=DNS:{name}\n")
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self._pair.certificate, "-CAkey", self._pair.key),
            *("-CAcreateserial", "-out", certificate, "-extfile", extension, "-days", str(days)),
        )
        return Pair(certificate, key)

    def server_context(self, name: str, *, wants_client: bool = False, days: int = 30) -> ssl.SSLContext:
        """TLS of a server with a certificate for `name`."""
        pair = self.signed(name, days=days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.file)
        return context


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
