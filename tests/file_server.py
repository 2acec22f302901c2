"""A web server on this machine that misbehaves in the ways servers do: what downloading is tried on."""

import contextlib
import http.server
import threading

DATA = bytes(range(256)) * 2000                       # a file of half a megabyte


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET /behaviour/name; the behaviours are the methods below."""

    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.split("/")[1])(self.server.data)

    def log_message(self, *words):
        """Nothing on stderr: a test reads that."""

    def head(self, status=200, length=None, kind="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def good(self, data):
        self.head(length=len(data))
        self.wfile.write(data)

    def moved(self, data):
        self.send_response(302)
        self.send_header("Location", self.path.replace("moved", "good"))
        self.end_headers()

    def wrong(self, data):
        self.good(data[:-1] + bytes([data[-1] ^ 1]))

    def cut(self, data):
        self.head(length=len(data))
        self.wfile.write(data[:len(data) // 2])

    def cut_unannounced(self, data):
        self.head()
        self.wfile.write(data[:len(data) // 2])

    def missing(self, data):
        self.send_error(404)

    def broken(self, data):
        self.send_error(503)

    def page(self, data):
        text = b"\n <!DOCTYPE html><html><title>Please log in</title></html>"
        self.head(length=len(text), kind="text/html")
        self.wfile.write(text)

    def endless(self, data):
        self.head()
        with contextlib.suppress(OSError):             # until the other side has had enough
            while True:
                self.wfile.write(data)

    def silent(self, data):
        self.server.release.wait(60)

    def stalls(self, data):
        self.head(length=len(data))
        self.wfile.write(data[:len(data) // 2])
        self.wfile.flush()
        self.server.half_sent.set()
        self.server.release.wait(60)

    def together(self, data):
        self.server.two.wait(60)                       # not before both have asked
        self.good(data)


@contextlib.contextmanager
def serving(data=DATA):
    """A server of one file. `.url(behaviour, name)` is its address, `.asked` the paths it was asked for, `.release` lets go."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.data, server.asked = data, []
    server.release, server.half_sent, server.two = threading.Event(), threading.Event(), threading.Barrier(2)
    server.url = lambda behaviour, name="net.npz": f"http://127.0.0.1:{server.server_address[1]}/{behaviour}/{name}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


def without_proxy(monkeypatch):
    """This machine is asked directly, whatever the environment says of proxies."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
