"""What a hostile program does in the sandbox, and what becomes of it: each case is a real process."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from service.apps.projects.agents.base import AgentError
from service.apps.projects.sandbox.inside.order import Order
from service.apps.projects.sandbox.inside.watch import DESCRIPTOR
from service.apps.projects.sandbox.process import ASKED_MAX, Program
from service.apps.projects.sandbox.sandbox import COMMAND_MAX, Sandbox
from service.apps.projects.sandbox.values import MIB, Limits, Mode, Outcome, SandboxError
from tests.support.sandboxes import QUICK, Heard, confined, processes_with, run

SMALL = replace(QUICK, memory=256 * MIB, files=2 * MIB, folder=8 * MIB, output=100_000)

TRIES = """
import sys
def tries(name, what):
    try:
        print(name, "DONE", what())
    except (AttributeError, NameError, TypeError):
        raise  # the probe is wrong
    except BaseException as error:
        print(name, "refused", type(error).__name__)
"""


@pytest.fixture(scope="module")
def box() -> Sandbox:
    return confined()


def gone(mark: str) -> bool:
    return not processes_with(mark)


FORKS = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
HOARDS = "kept = []\nwhile True: kept.append(bytearray(1 << 20))"
HOARDS_TOGETHER = """
import os, time
for _ in range(3): os.fork()
kept = bytearray(60 << 20)
for n in range(0, len(kept), 4096): kept[n] = 1
time.sleep(60)
"""
FILLS = "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'wb').write(bytes(1 << 20)); n += 1"
FILLS_WITH_NOTHING = "n = 0\nwhile True: open(f'{n}', 'wb').close(); n += 1"
FLOODS = "while True: print('x' * 10_000)"
HOARDS_SOCKETS = """
import os, socket, time
for _ in range(4): os.fork()
kept = [socket.socketpair() for _ in range(110)]
time.sleep(60)
"""
BURNS = "import os\nos.fork()\nwhile True: pass"
HOARDS_WITHOUT_ITS_FIRST_THREAD = """
import ctypes, os, platform, threading, time
for _ in range(3): os.fork()
def hoard():
    time.sleep(0.5)  # the first thread has ended then
    kept = bytearray(60 << 20)
    for n in range(0, len(kept), 4096): kept[n] = 1
    time.sleep(60)
threading.Thread(target=hoard).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)
"""


@pytest.mark.parametrize(
    ("code", "limits", "reason"),
    [
        pytest.param(FORKS, replace(SMALL, seconds=1.5), "time", id="forks for ever"),
        pytest.param(HOARDS_TOGETHER, SMALL, "memory", id="many eat memory together"),
        pytest.param(HOARDS_WITHOUT_ITS_FIRST_THREAD, SMALL, "memory", id="hides it behind a thread that has ended"),
        pytest.param(HOARDS_SOCKETS, SMALL, "memory", id="makes the kernel keep memory"),
        pytest.param(FILLS, SMALL, "folder", id="fills the disk"),
        pytest.param(FILLS_WITH_NOTHING, SMALL, "folder", id="fills it with empty files"),
        pytest.param(FLOODS, SMALL, "output", id="floods its output"),
        pytest.param("import time\ntime.sleep(60)", replace(SMALL, seconds=1.0), "time", id="never ends"),
        pytest.param(BURNS, replace(SMALL, cpu_seconds=1.0), "time", id="many use the processor together"),
    ],
)
async def test_who_takes_too_much_is_ended(box: Sandbox, code: str, limits: Limits, reason: str) -> None:
    mark = f"mark_{secrets.token_hex(8)}"
    heard = Heard()
    outcome = await box.run({f"{mark}.py": code}, ["python", f"{mark}.py"], limits, heard)
    assert outcome == Outcome(None, reason)
    assert len(heard.text) <= limits.output
    assert gone(mark)


async def test_time_of_children_that_nobody_waits_for_counts(box: Sandbox) -> None:
    code = """
        import os, signal, time
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets what they have used
        while True:
            if not os.fork():
                while time.process_time() < 0.3: pass
                os._exit(0)
            try: os.wait()
            except ChildProcessError: print("done")
    """
    outcome, text = await run(box, textwrap.dedent(code), replace(SMALL, seconds=600.0, cpu_seconds=1.0))
    assert (outcome, text.count("done") < 10) == (Outcome(None, "time"), True)


async def test_the_kernel_keeps_no_more_in_a_socket_than_is_counted(box: Sandbox) -> None:
    code = """
        import socket
        def filled(made):
            made.setblocking(False)
            sent = 0
            try:
                while True: sent += made.send(bytes(4096))
            except BlockingIOError:
                return sent
        pair = socket.socketpair()
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF): pair[0].setsockopt(socket.SOL_SOCKET, option, 1 << 22)
        server = socket.create_server(("127.0.0.1", 0))
        made = socket.create_connection(server.getsockname())
        accepted = server.accept()
        print(filled(pair[0]), filled(made))
    """
    outcome, text = await run(box, textwrap.dedent(code), SMALL)
    assert outcome == Outcome(0), text
    unix, tcp = map(int, text.split())
    assert unix <= DESCRIPTOR
    if os.access("/proc/sys/net/ipv4/tcp_rmem", os.W_OK):  # else the machine's bounds hold
        assert tcp <= 2 * DESCRIPTOR


async def test_one_process_has_its_own_bounds(box: Sandbox) -> None:
    outcome, text = await run(box, HOARDS, SMALL)
    assert (outcome, "MemoryError" in text) == (Outcome(1), True)
    outcome, text = await run(box, f"open('big', 'wb').write(bytes({2 * SMALL.files}))", SMALL)
    assert (outcome, "File too large" in text) == (Outcome(1), True)
    start = "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    threads = f"import threading, time\nfor n in range(99): {start}"
    outcome, text = await run(box, threads, replace(SMALL, processes=20))
    assert "can't start new thread" in text


async def test_a_program_has_room_for_threads(box: Sandbox) -> None:
    start = "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    outcome, text = await run(box, f"import threading, time\nfor n in range(60): {start}", replace(QUICK, processes=64))
    assert outcome == Outcome(0), text


async def test_nothing_is_written_outside(box: Sandbox, tmp_path: Path) -> None:
    code = TRIES + textwrap.dedent(f"""
        import os, sysconfig
        folders = ("", "/etc", "/bin", "/usr/lib", sysconfig.get_path("stdlib"), {str(tmp_path)!r})
        for path in ("/bin/python", *[folder + "/x" for folder in folders]):
            tries("write", lambda: open(path, "w"))
        tries("link", lambda: os.link("/bin/python", "/tmp/linked"))
        os.symlink("/etc", "/app/etc")
        tries("through a link", lambda: open("/app/etc/passwd", "w"))
        print("own", open("/tmp/x", "w").write("x"), open("y", "w").write("y"), sorted(os.listdir("/")))
    """)
    outcome, text = await run(box, code)
    assert outcome == Outcome(0), text
    assert "DONE" not in text
    assert "own 1 1" in text
    assert not list(tmp_path.iterdir())


async def test_nothing_of_ours_is_seen(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", "secret-of-ours")
    database = tmp_path / "twinwire.db"
    database.write_text("secret-of-ours")
    descriptor = os.open(database, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    repository = Path(__file__).parents[2]
    code = TRIES + textwrap.dedent(f"""
        import os, site
        ours = ({str(database)!r}, {str(repository / "pyproject.toml")!r}, {sys.executable!r})
        machine = ("/etc/shadow", "/etc/hostname", "/sys/kernel", "/dev/zero", "/dev/mem")
        for path in (*ours, *machine, "/proc/1/environ", "/proc/self/environ"):
            tries("read", lambda: os.open(path, os.O_RDONLY))
        tries("package", lambda: __import__("quart"))
        for number in range(3, 300):
            tries("descriptor", lambda: os.fstat(number))
        print(dict(os.environ), os.getuid(), os.geteuid(), os.getgroups(), os.getpid())
        folders = [folder for folder in site.getsitepackages() if os.path.isdir(folder)]
        print("packages", [name for folder in folders for name in os.listdir(folder)])
    """)
    try:
        outcome, text = await run(box, code)
    finally:
        os.close(descriptor)
    assert outcome == Outcome(0), text
    assert "DONE" not in text
    assert "secret" not in text
    assert "TWINWIRE" not in text
    assert "packages []" in text
    user, effective, _, process = text.splitlines()[-2].rsplit("}", 1)[1].split(maxsplit=3)
    assert (user, effective) == ("65534", "65534")
    assert process.split()[-1] == "2"  # of a process namespace in which there is nobody else


async def test_no_connection_goes_out(box: Sandbox) -> None:
    """Not to this machine's loopback either, nor by a socket with a name and no file; its own loopback is there."""
    name = f"\0twinwire-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as listening, socket.create_server(("127.0.0.1", 0)) as server:
        listening.bind(name)
        listening.listen()
        code = TRIES + textwrap.dedent(f"""
            import socket
            def to(family, address):
                with socket.socket(family) as made:
                    made.settimeout(3)
                    made.connect(address)
            tries("out", lambda: to(socket.AF_INET, ("1.1.1.1", 53)))
            tries("host", lambda: to(socket.AF_INET, ("127.0.0.1", {server.getsockname()[1]})))
            tries("six", lambda: to(socket.AF_INET6, ("::1", {server.getsockname()[1]})))
            tries("unix", lambda: to(socket.AF_UNIX, {name!r}))
            tries("vsock", lambda: socket.socket(40))
            tries("pair", lambda: socket.socketpair(30))
            tries("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            with socket.create_server(("127.0.0.1", 0)) as own:
                to(socket.AF_INET, own.getsockname())
                print("own loopback")
        """)
        outcome, text = await run(box, code)
    assert outcome == Outcome(0), text
    assert "DONE" not in text
    assert "own loopback" in text


async def test_privileges_are_gone_and_none_come(box: Sandbox) -> None:
    code = TRIES + textwrap.dedent("""
        import ctypes, os
        library = ctypes.CDLL(None, use_errno=True)
        def call(name, *arguments):
            if getattr(library, name)(*arguments) < 0:
                raise OSError(ctypes.get_errno())
        tries("user namespace", lambda: call("unshare", 0x10000000))
        tries("trace", lambda: call("ptrace", 16, 1, 0, 0))
        tries("chroot", lambda: os.chroot("/tmp"))
        tries("root", lambda: os.setuid(0))
        tries("nice", lambda: os.nice(-5))
        tries("memory of nobody", lambda: os.memfd_create("x"))
        tries("shared memory", lambda: __import__("mmap").mmap(-1, 4096))
        tries("mount", lambda: call("mount", b"x", b"/tmp", b"tmpfs", 0, 0))
        tries("limits", lambda: __import__("resource").setrlimit(7, (4096, 4096)))
        print("no new privileges", library.prctl(39, 0, 0, 0, 0))
    """)
    outcome, text = await run(box, code)
    assert outcome == Outcome(0), text
    assert "DONE" not in text
    assert "no new privileges 1" in text


async def test_who_outlives_it_is_ended_with_it(box: Sandbox) -> None:
    mark = f"mark_{secrets.token_hex(8)}"
    code = f"""
        import os, signal, subprocess, sys
        for one in range(1, 32):
            if one != signal.SIGCHLD: os.kill(1, one)  # the first process hears of none
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", {mark!r}], start_new_session=True)
        if not os.fork():
            os.setsid()
            if not os.fork():
                signal.pause()
            os._exit(0)
        print("bye")
    """
    outcome, text = await run(box, textwrap.dedent(code))
    assert (outcome, text) == (Outcome(0), "bye\n")
    assert gone(mark)


async def test_cancelling_ends_all_of_it(box: Sandbox) -> None:
    mark, heard = f"mark_{secrets.token_hex(8)}", Heard()
    code = "import os, signal\nfor n in range(3): os.fork()\nprint('up')\nsignal.pause()"
    task = asyncio.create_task(box.run({f"{mark}.py": code}, ["python", f"{mark}.py"], QUICK, heard))
    await heard.until("up", 8)
    assert len(processes_with(mark)) == 8
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(mark)


async def test_it_ends_with_its_launcher(box: Sandbox) -> None:
    mark, heard = f"mark_{secrets.token_hex(8)}", Heard()
    code = "import signal; print('up'); signal.pause()"
    task = asyncio.create_task(box.run({f"{mark}.py": code}, ["python", f"{mark}.py"], QUICK, heard))
    await heard.until("up")
    for process in processes_with("sandbox.inside.launch"):
        if f"\nPPid:\t{os.getpid()}\n" in Path(f"/proc/{process}/status").read_text():
            os.kill(process, signal.SIGKILL)
    assert await asyncio.wait_for(task, 20) == Outcome(137)
    assert gone(mark)


async def shutting_in(mark: str) -> tuple[Program, int, int]:
    """A program that is being shut in, its launcher, and the first process, which is stopped: it has files to write."""
    files = {f"{n}.txt": b"" for n in range(3_000)} | {f"{mark}.py": b"import signal; signal.pause()"}
    program = await Program.start(Order(("python", f"{mark}.py"), asdict(QUICK), True, files))
    async with asyncio.timeout(20):
        while True:
            for launcher in processes_with("sandbox.inside.launch"):
                if f"\nPPid:\t{os.getpid()}\n" in Path(f"/proc/{launcher}/status").read_text():
                    for first in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
                        os.kill(int(first), signal.SIGSTOP)
                        return program, launcher, int(first)
            await asyncio.sleep(0)


async def test_who_is_being_shut_in_ends_with_the_launcher(box: Sandbox) -> None:
    mark = f"mark_{secrets.token_hex(8)}"
    program, launcher, first = await shutting_in(mark)
    os.kill(launcher, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGCONT)
    try:
        assert await asyncio.wait_for(program.copy(Heard()), 20)
        assert gone(mark)
    finally:
        await program.stop()


async def test_who_is_being_shut_in_can_be_stopped(box: Sandbox) -> None:
    mark = f"mark_{secrets.token_hex(8)}"
    program, launcher, first = await shutting_in(mark)
    await asyncio.wait_for(program.stop(), 20)
    assert not [one for one in (launcher, first) if Path(f"/proc/{one}").exists()]


async def test_it_ends_with_the_service(box: Sandbox, tmp_path: Path) -> None:
    """Killed, so that it can't clean up."""
    mark = f"mark_{secrets.token_hex(8)}"
    script = tmp_path / "service_alone.py"
    script.write_text(
        textwrap.dedent(f"""
        import asyncio
        from service.apps.projects.sandbox.sandbox import Sandbox
        from service.apps.projects.sandbox.values import Limits, Mode
        async def heard(text): print(text, end="", flush=True)
        code = "import signal; print('up'); signal.pause()"
        asyncio.run(Sandbox(Mode.CONFINED).run({{"{mark}.py": code}}, ["python", "{mark}.py"], Limits(), heard))
        """)
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as alone:
        assert alone.stdout is not None
        assert alone.stdout.readline() == b"up\n"
        assert processes_with(mark)
        alone.send_signal(signal.SIGKILL)
    async with asyncio.timeout(20):
        while not gone(mark):
            await asyncio.sleep(0.01)


async def test_a_test_run_is_seen_as_it_comes(box: Sandbox) -> None:
    tests = """
        import unittest
        class Sums(unittest.TestCase):
            def test_right(self): self.assertEqual(1 + 1, 2)
            def test_wrong(self): self.assertEqual(1 + 1, 3)
    """
    files = {"tests/__init__.py": "", "tests/test_sums.py": textwrap.dedent(tests), "data/größe.txt": "日本"}
    heard = Heard()
    with pytest.raises(AgentError, match=r"größe"):
        await box.run(files, ["python", "-m", "unittest"], QUICK, heard)
    del files["data/größe.txt"]
    outcome = await box.run(files, ["python", "-m", "unittest"], QUICK, heard)
    assert outcome == Outcome(1)
    assert "FAIL: test_wrong" in heard.text
    assert (await run(box, "import sys; print('日本', end=''); sys.exit(3)")) == (Outcome(3), "日本")
    assert (await run(box, "import os; os.kill(os.getpid(), 15)"))[0] == Outcome(143)
    assert await box.run({}, ["no-such-command"], QUICK, heard) == Outcome(127)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "a//b"])
async def test_a_path_that_leaves_the_folder_is_refused(box: Sandbox, path: str) -> None:
    with pytest.raises(AgentError, match="is not a path"):
        await box.run({path: "x"}, ["python", "-c", "pass"], QUICK, Heard())


@pytest.mark.parametrize("command", [[], [""], ["python", "a\0b"], ["python", "x" * COMMAND_MAX]])
async def test_a_command_that_is_none_is_refused(box: Sandbox, command: list[str]) -> None:
    with pytest.raises(SandboxError, match="a command is"):
        await box.run({}, command, QUICK, Heard())


async def test_files_that_are_too_many(box: Sandbox) -> None:
    files = {f"{n}.txt": "x" * MIB for n in range(9)}
    assert await box.run(files, ["python", "-c", "pass"], SMALL, Heard()) == Outcome(None, "folder")


async def test_where_it_is_off_or_impossible_nothing_is_run() -> None:
    heard = Heard()
    for box, why in (
        (Sandbox(Mode.OFF), "TWINWIRE_RUN_APPS=1"),
        (Sandbox(Mode.CONFINED, "network namespace: Operation not permitted"), "network namespace"),
    ):
        assert box.refusal is not None
        assert why in box.refusal
        with pytest.raises(SandboxError, match=why):
            await box.run({"main.py": "print('ran')"}, ["python", "main.py"], QUICK, heard)
    assert heard.text == ""


async def test_without_walls_there_is_still_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", "secret-of-ours")
    box, mark = await Sandbox.open(Mode.UNCONFINED), f"mark_{secrets.token_hex(8)}"
    assert box.refusal is None
    code = f"""
        import os, subprocess, sys
        assert not [name for name in os.environ if name.startswith("TWINWIRE")]
        again = [sys.executable, "-c", "import time; time.sleep(600)", {mark!r}]
        subprocess.Popen(again, start_new_session=True)
        print(os.getcwd())
    """
    outcome, text = await run(box, textwrap.dedent(code))
    assert outcome == Outcome(0), text
    assert gone(mark)
    assert not Path(text.strip()).exists()
    assert (await run(box, FILLS.replace("/tmp/", ""), SMALL))[0] == Outcome(None, "folder")
    assert (await run(box, "import time\ntime.sleep(60)", replace(SMALL, seconds=1.0)))[0] == Outcome(None, "time")


async def test_without_walls_files_that_can_not_be_written_are_told() -> None:
    open_box = await Sandbox.open(Mode.UNCONFINED)
    with pytest.raises(SandboxError, match=r"files: .*File exists") as told:
        await open_box.run({"a": "x", "a/b": "y"}, ["python", "-c", "pass"], QUICK, Heard())
    assert not Path(str(told.value).split("'")[1]).parents[1].exists()


SERVER = """
    import http.server
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"you asked {self.path}".encode())
    http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Handler).serve_forever()
"""


async def test_it_serves(box: Sandbox) -> None:
    served = await box.serve({"main.py": textwrap.dedent(SERVER)}, ["python", "main.py"], QUICK, 9000)
    try:

        async def ask(path: str) -> str:
            while True:
                try:
                    reader, writer = await served.connect()
                    break
                except ConnectionError:
                    await asyncio.sleep(0.01)
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            try:
                return (await reader.read()).decode().rpartition("\r\n")[2]
            finally:
                writer.close()
                await writer.wait_closed()

        async with asyncio.timeout(20):
            assert await ask("/0") == "you asked /0"
            answers = await asyncio.gather(*(ask(f"/{n}") for n in range(20)))
        assert answers == [f"you asked /{n}" for n in range(20)]
        assert "GET /0" in served.tail
        assert not served.ended.done()
    finally:
        await served.stop()
    with pytest.raises(SandboxError):
        await served.connect()


async def test_what_serves_may_end_or_hang(box: Sandbox) -> None:
    """A service that stops the program that it reaches by itself: nothing stands between that it could stop."""
    code = "import os, signal, socket\nmade = socket.create_server(('127.0.0.1', 9000))\nos.kill(-1, signal.SIGSTOP)"
    hung = await box.serve({"main.py": code}, ["python", "main.py"], QUICK, 9000)
    asked = [asyncio.ensure_future(hung.connect()) for _ in range(2 * ASKED_MAX)]
    await asyncio.wait({*asked})
    assert any("asked for already" in str(one.exception()) for one in asked)
    for one in asked:
        if one.exception() is None:
            one.result()[1].close()
    await hung.stop()
    ended = await box.serve({"main.py": "print('no')"}, ["python", "main.py"], QUICK, 9000)
    assert await asyncio.wait_for(ended.ended, 20) == Outcome(0)
    assert ended.tail in ("", "no\n")
    with pytest.raises(SandboxError, match="ended"):
        await ended.connect()
    await ended.stop()
