# An application that does what no application should; written into a project by tests/support/open_apps.py, which puts
# VERSION before it. Standard library alone.

import argparse
import asyncio
import base64
import hashlib
import os

VERSION = globals().get("VERSION", 0)

RAW = {
    "/clte": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "/lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "/more": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "/less": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello",
    "/junk": b"this is no HTTP\r\n\r\n",
    "/status": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "/switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nraw",
    "/nul": b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "/early": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/headers": (
        b'HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Domain=localhost\r\nSet-Cookie2: a\r\nClear-Site-Data: "*"\r\n'
        b'Service-Worker-Allowed: /\r\nStrict-Transport-Security: max-age=1\r\nAlt-Svc: h3=":443"\r\n'
        b"X-Accel-Redirect: /internal\r\nWWW-Authenticate: Basic\r\nX-Frame-Options: DENY\r\nConnection: X-Hop\r\n"
        b"Content-Security-Policy: default-src 'self'; frame-ancestors 'none'\r\nX-Hop: 1\r\nX-Own: 1\r\n"
        b"Cache-Control: public\r\nContent-Length: 2\r\n\r\nok"
    ),
}


async def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--host", "--port", "--database"):
        parser.add_argument(name)
    options = parser.parse_args()
    server = await asyncio.start_server(serve, options.host, int(options.port))
    print(f"version {VERSION} listens", flush=True)
    await server.serve_forever()


async def serve(reader, writer):
    try:
        await answer(reader, writer)
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def answer(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    target = first.split(" ")[1]
    fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines if line}
    path = target.partition("?")[0]
    if path in RAW:
        writer.write(RAW[path])
        await writer.drain()
    elif path == "/ws":
        await socket(reader, writer, fields)
    elif path == "/die":
        print("about to die", flush=True)
        os._exit(3)
    elif path == "/hang":
        await reader.read()
    elif path == "/events":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(1_000_000):
            writer.write(b"data: %d\n\n" % number)
            await writer.drain()
            if b"fast" not in target.encode():
                await asyncio.sleep(0.05)
    elif path == "/huge":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")
        sent = 0
        while sent < 1 << 30:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536
            print(f"sent {sent}", flush=True)
    elif path == "/count":
        length, seen = int(fields.get("content-length", "0")), 0
        while seen < length and (piece := await reader.read(65_536)):
            seen += len(piece)
        await say(writer, str(seen))
    elif path == "/echo":
        await say(writer, head)
    elif path == "/page":
        await say(writer, PAGE, "text/html")
    else:
        await say(writer, f"version {VERSION}\n<h1>Naughty</h1>", "text/html")


async def say(writer, text, kind="text/plain"):
    body = text.encode("latin-1", "replace")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def socket(reader, writer, fields):
    """Echoes messages of up to 64 KiB; `close` closes with 4001, `flood` sends without end, `head` tells the head."""
    accept = base64.b64encode(
        hashlib.sha1((fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    ).decode()
    upgrade = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{upgrade}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while True:
        begin = await reader.readexactly(2)
        opcode, size = begin[0] & 15, begin[1] & 127
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(size)))
        if opcode == 8:
            print(f"closed {int.from_bytes(data[:2], 'big')}", flush=True)
            writer.write(frame(8, data))
            await writer.drain()
            return
        if data == b"close":
            writer.write(frame(8, (4001).to_bytes(2, "big") + b"bye"))
        elif data == b"head":
            writer.write(frame(1, repr(sorted(fields)).encode()))
        elif data == b"flood":
            while True:
                writer.write(frame(2, b"y" * 65_535))
                await writer.drain()
        else:
            writer.write(frame(opcode, data))
        await writer.drain()


def frame(opcode, data):
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return bytes([128 | opcode]) + size + data


PAGE = """<!doctype html><title>reach</title><script>
const api = new URLSearchParams(location.search).get("api"), found = {};
const note = (name, value) => { found[name] = value; };
const tryTo = async (name, what) => {
  try { note(name, await what()); } catch (e) { note(name, "refused: " + e.name); }
};
addEventListener("load", async () => {
  await tryTo("parent", () => parent.document.cookie);
  await tryTo("top", () => { top.location.href = "/"; return "navigated"; });
  await tryTo("storage", () => parent.localStorage.length);
  document.cookie = "toss=1; Domain=localhost; Path=/";
  await tryTo("read", async () => (await fetch(api + "/api/projects", {credentials: "include"})).status);
  const unseen = {credentials: "include", mode: "no-cors"};
  await tryTo("opaque", async () => (await fetch(api + "/api/projects", unseen)).type);
  await tryTo("publish", async () => (await fetch(api + "/api/events", {...unseen, method: "POST",
    body: '{"topic":"from/app","type":"x","data":1}'})).type);
  await tryTo("own", async () => (await (await fetch("/api/projects")).text()).slice(0, 7));
  await tryTo("health", async () => (await (await fetch("/api/health")).text()).slice(0, 7));
  await tryTo("worker", async () => { await navigator.serviceWorker.register("/sw.js"); return "registered"; });
  await tryTo("socket", () => new Promise((done) => {
    const socket = new WebSocket(api.replace("http", "ws") + "/api/ws?topic=**");
    socket.onopen = () => done("open"); socket.onerror = () => done("refused");
  }));
  await tryTo("echo", () => new Promise((done) => {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.onopen = () => socket.send("h\\u00e9llo");
    socket.onmessage = (e) => done(e.data); socket.onerror = () => done("refused");
  }));
  await tryTo("events", () => new Promise((done) => {
    const source = new EventSource("/events"); source.onmessage = (e) => { source.close(); done(e.data); };
    source.onerror = () => done("refused");
  }));
  note("cookie", document.cookie);
  const frame = document.createElement("iframe"); frame.name = "sink"; document.body.append(frame);
  const form = document.createElement("form");
  form.method = "post"; form.target = "sink"; form.enctype = "text/plain";
  form.action = api + "/api/events"; document.body.append(form);
  const input = document.createElement("input");
  input.name = '{"topic":"from/app","type":"form","data":"'; input.value = '"}';
  form.append(input); form.submit();
  document.title = "done"; document.body.dataset.found = JSON.stringify(found);
});
</script><body>reaching</body>"""

if __name__ == "__main__":
    asyncio.run(main())
