"""Real servers for tests: InfluxDB, Redis, RabbitMQ and PostgreSQL, each private to one run of the tests.

Every server gets a temporary folder and a free port on 127.0.0.1, is waited for with a limit, and is
stopped with its folder removed. A server that is not installed raises `ServerMissing`, which says
what to do.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

START_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
PINS = Path(__file__).parents[1] / "servers" / "go.mod"


class ServerMissing(Exception):
    """The server's program is not on this machine."""


class ServerBroken(Exception):
    """The program is here but did not come up; the message ends with what it printed last."""


def cache_folder() -> Path:
    """Where `make servers` keeps the built programs, outside the checkout."""
    return Path(os.environ.get("FLUXGATE_CACHE") or Path.home() / ".cache" / "fluxgate")


def pinned_version(module: str) -> str:
    """The version of a Go module that tests/servers/go.mod pins, without its leading v."""
    found = re.search(rf"^\s*{re.escape(module)} v(\S+)", PINS.read_text(), re.MULTILINE)
    if found is None:
        raise ServerMissing(f"{PINS} pins no {module}")
    return found[1]


def influxd_program() -> Path:
    return _built("influxd", "github.com/influxdata/influxdb/v2")


def influx_program() -> Path:
    """The `influx` command line."""
    return _built("influx", "github.com/influxdata/influx-cli/v2")


def _built(name: str, module: str) -> Path:
    program = cache_folder() / "bin" / f"{name}-{pinned_version(module)}"
    if not program.is_file():
        raise ServerMissing(f"{name} is not at {program}: run `make servers`")
    return program


def installed(name: str, *, package: str) -> Path:
    """A program of a Debian package, on the PATH or where Debian keeps PostgreSQL's."""
    found = shutil.which(name)
    if found:
        return Path(found)
    homes = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda one: int(one.parts[-3]))
    if homes:
        return homes[-1]
    raise ServerMissing(f"{name} is not installed: run `make servers` as root, or `apt-get install {package}`")


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server. `stop` ends it and removes its folder; `freeze` makes it hang until `thaw`.

    It hangs with the processes that it began: PostgreSQL's go on answering on the connections that they have when only
    the first one is stopped."""

    name: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals = signal.SIGTERM
    after: tuple[str, ...] = ()
    """A command that ends what the server left behind, such as a daemon that it began."""

    def stop(self) -> None:
        if self.process.poll() is None:
            self.thaw()
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_WITHIN_S)
        if self.after:
            subprocess.run(self.after, capture_output=True, timeout=STOP_WITHIN_S, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self) -> None:
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            for process in (first, *first.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)


@dataclass
class InfluxServer:
    """A set-up InfluxDB with one organization, and the operator's token for it."""

    url: str
    token: str
    org: str
    server: Server = field(repr=False)

    def http(self, timeout_s: float = 30.0) -> httpx.Client:
        """A client for direct questions, with the token and the organization filled in."""
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Token {self.token}"},
            params={"org": self.org},
            timeout=timeout_s,
        )

    def new_bucket(self, name: str | None = None, *, retention_s: int = 0, shard_s: int | None = None) -> str:
        """Make an empty bucket under a fresh name (or `name`) and return the name."""
        name = name or f"test {secrets.token_hex(6)}"
        rule: dict[str, object] = {"type": "expire", "everySeconds": retention_s}
        if shard_s is not None:
            rule["shardGroupDurationSeconds"] = shard_s
        with self.http() as http:
            orgs = http.get("/api/v2/orgs").raise_for_status().json()["orgs"]
            org_id = next(org["id"] for org in orgs if org["name"] == self.org)
            rules = [rule] if retention_s or shard_s is not None else []
            http.post(
                "/api/v2/buckets", json={"orgID": org_id, "name": name, "retentionRules": rules}
            ).raise_for_status()
        return name

    def drop_buckets(self) -> None:
        """Remove all buckets.

        Each that holds something keeps 17 files open or more. A server that may open no more refuses writes to new
        shard groups with 500, and reads of them answer nothing, with 200 (seen on 2.9.1)."""
        with self.http() as http:
            while buckets := [
                one
                for one in http.get("/api/v2/buckets", params={"limit": 100}).json()["buckets"]
                if one["type"] != "system"
            ]:
                for one in buckets:
                    http.delete(f"/api/v2/buckets/{one['id']}").raise_for_status()

    @property
    def folder(self) -> Path:
        return self.server.folder

    def write(self, bucket: str, lines: str | bytes, precision: str = "ns") -> None:
        """Write line protocol past the gateway, making the bucket when it is not there."""
        body = lines.encode() if isinstance(lines, str) else lines
        with self.http() as http:
            sent = http.post("/api/v2/write", params={"bucket": bucket, "precision": precision}, content=body)
            if sent.status_code == 404:
                self.new_bucket(bucket)
                sent = http.post("/api/v2/write", params={"bucket": bucket, "precision": precision}, content=body)
            sent.raise_for_status()

    def flux(self, query: str) -> str:
        """The annotated CSV that InfluxDB itself answers to `query`."""
        dialect = {"header": True, "annotations": ["group", "datatype", "default"]}
        with self.http() as http:
            answer = http.post("/api/v2/query", json={"query": query, "type": "flux", "dialect": dialect})
            if answer.is_error:
                raise AssertionError(f"{answer.status_code} {answer.text}\n{query}")
            return answer.text


def start_influx(*flags: str, token: str | None = None) -> InfluxServer:
    """A new InfluxDB, set up and empty. `token`: of its operator; None: a new one."""
    program = influxd_program()

    def command(folder: Path, port: int) -> list[str]:
        stores = [f"--bolt-path={folder}/bolt", f"--engine-path={folder}/engine", f"--sqlite-path={folder}/sqlite"]
        bind = [f"--http-bind-address=127.0.0.1:{port}", "--reporting-disabled", "--log-level=error"]
        return [str(program), *stores, *bind, *flags]

    server = _start("influxd", command, _answers_http)
    try:
        return _set_up(server, token or f"test-{secrets.token_hex(16)}")
    except BaseException:
        server.stop()
        raise


@contextlib.contextmanager
def running_influx(*flags: str, token: str | None = None) -> Iterator[InfluxServer]:
    """A new InfluxDB that is stopped at the end."""
    started = start_influx(*flags, token=token)
    try:
        yield started
    finally:
        started.server.stop()


def _set_up(server: Server, token: str) -> InfluxServer:
    url, org = f"http://127.0.0.1:{server.port}", "test org"
    wanted = {"username": "tester", "password": secrets.token_hex(16), "org": org, "bucket": "first", "token": token}
    httpx.post(f"{url}/api/v2/setup", json=wanted, timeout=30).raise_for_status()
    return InfluxServer(url, token, org, server)


def _answers_http(server: Server) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{server.port}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def start_redis() -> Server:
    """A new, empty Redis that keeps nothing on disk; `redis://127.0.0.1:{port}/0`."""
    program = installed("redis-server", package="redis-server")

    def command(folder: Path, port: int) -> list[str]:
        return [
            str(program),
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            str(folder),
            "--save",
            "",
            "--appendonly",
            "no",
        ]

    return _start("redis", command, _answers_redis)


def _answers_redis(server: Server) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=2) as link:
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def start_nginx(configuration: str) -> Server:
    """nginx with this configuration, in which `listen 80;` becomes a free port of 127.0.0.1."""
    program = installed("nginx", package="nginx-light")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

    def command(folder: Path, port: int) -> list[str]:
        folders = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        text = configuration.replace("listen 80;", f"listen 127.0.0.1:{port};")
        (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ access_log off; {folders}", 1))
        options = f"daemon off; pid {folder}/pid; error_log {folder}/error.log;"
        return [str(program), "-p", str(folder), "-e", f"{folder}/error.log", "-c", "nginx.conf", "-g", options]

    return _start("nginx", command, _is_listening)


def _is_listening(server: Server) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=2):
            return True
    except OSError:
        return False


def start_rabbitmq(arguments: str = "") -> Server:
    """A new RabbitMQ with its one user `guest`; `amqp://guest:guest@127.0.0.1:{port}//`.

    `arguments`: more of them for Erlang, such as `-rabbit consumer_timeout 3000`.

    Its Erlang node has a name, a cookie and a port of its own, so that it meets no other on this machine.
    """
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.is_file():
        raise ServerMissing("rabbitmq-server is not installed: run `make servers` as root")
    node, names_port = f"fluxgate-{secrets.token_hex(4)}", str(free_port())

    def command(folder: Path, port: int) -> list[str]:
        lines = [f"listeners.tcp.1 = 127.0.0.1:{port}", "distribution.listener.interface = 127.0.0.1"]
        (folder / "rabbitmq.conf").write_text("\n".join([*lines, ""]))
        (folder / "plugins").write_text("[].\n")
        cookie = folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        variables = {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"{node}@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "ERL_EPMD_PORT": names_port,
        }
        return ["env", *(f"{name}={value}" for name, value in variables.items()), str(program)]

    return _start("rabbitmq", command, _answers_amqp, after=("epmd", "-port", names_port, "-kill"))


def _answers_amqp(server: Server) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=2) as link:
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return len(link.recv(7)) == 7
    except OSError:
        return False


def start_postgres() -> Server:
    """A new PostgreSQL cluster with the superuser `postgres` and no password, for local connections only."""
    initdb, postgres = (installed(name, package="postgresql") for name in ("initdb", "postgres"))
    ready = installed("pg_isready", package="postgresql")

    def command(folder: Path, port: int) -> list[str]:
        made = [
            str(initdb),
            "-D",
            f"{folder}/cluster",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        done = subprocess.run(
            made, capture_output=True, timeout=START_WITHIN_S, cwd=folder, user=_postgres_user(), check=False
        )
        if done.returncode:
            raise ServerBroken(f"initdb ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", f"unix_socket_directories={folder}"]
        return [str(postgres), "-D", f"{folder}/cluster", "-p", str(port), *options]

    def answers(server: Server) -> bool:
        asked = [str(ready), "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-t", "2"]
        return subprocess.run(asked, capture_output=True, timeout=10, check=False).returncode == 0

    return _start("postgres", command, answers, user=_postgres_user(), stop_signal=signal.SIGINT)


def start_mariadb() -> Server:
    """A new MariaDB with the user `root` and no password, over TCP from this machine."""
    server, install = (installed(name, package="mariadb-server") for name in ("mariadbd", "mariadb-install-db"))
    user = ["--user=mysql"] if os.geteuid() == 0 else []

    def command(folder: Path, port: int) -> list[str]:
        data, files = f"--datadir={folder}/data", f"--tmpdir={folder}"
        make = [str(install), "--no-defaults", data, files, "--auth-root-authentication-method=normal", *user]
        done = subprocess.run(make, capture_output=True, timeout=START_WITHIN_S, cwd=folder, check=False)
        if done.returncode:
            raise ServerBroken(f"mariadb-install-db: {done.stderr.decode(errors='replace')[-2000:]}")
        places = [data, files, f"--socket={folder}/socket", f"--pid-file={folder}/pid"]
        network = ["--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve"]
        small = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-log-bin"]
        return [str(server), "--no-defaults", *places, *network, *small, *user]

    def answers(started: Server) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", started.port), 1.0) as link:
                return bool(link.recv(1))
        except OSError:
            return False

    user_name = "mysql" if os.geteuid() == 0 else None
    return _start("mariadb", command, answers, user=user_name, stop_signal=signal.SIGKILL)  # its folder is removed


def _postgres_user() -> str | None:
    """PostgreSQL refuses to run as root: Debian's package brings a user for it."""
    return "postgres" if os.geteuid() == 0 else None


def _start(
    name: str,
    command: Callable[[Path, int], Sequence[str]],
    answers: Callable[[Server], bool],
    *,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    after: tuple[str, ...] = (),
) -> Server:
    """Start on a free port and wait until it answers. A port that was taken meanwhile costs one more try."""
    for left in (2, 1, 0):
        folder = Path(tempfile.mkdtemp(prefix=f"fluxgate-{name}-"))
        if user is not None:
            shutil.chown(folder, user)
        try:
            port = free_port()
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen(
                    command(folder, port),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    user=user,
                    start_new_session=True,
                )
            server = Server(name, port, folder, process, stop_signal, after)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            if answers(server):
                return server
            time.sleep(0.05)
        ended, printed = process.poll(), (folder / "log").read_text(errors="replace")[-2000:]
        server.stop()
        if ended is None or left == 0:
            found = f"did not answer within {START_WITHIN_S:.0f} s" if ended is None else f"ended with {ended}"
            raise ServerBroken(f"{name} {found}. It printed last:\n{printed}")
    raise AssertionError("unreachable")
