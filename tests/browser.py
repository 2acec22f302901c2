"""A headless Chromium, spoken to over a pipe: what a page really does, in the browser that a reader would open it with.

The DevTools protocol is JSON, and with --remote-debugging-pipe it comes and goes over two file descriptors, each message ended by a
zero byte: no library is needed. https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
            "--disable-sync", "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--no-first-run",
            "--no-default-browser-check", "--password-store=basic", "--use-mock-keychain", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND")
SECONDS = 60                                          # for one answer, on a busy machine


def found():
    """The path of a browser. Skips the test when there is none; fails when SCRATCHNET_BROWSER names one that is not there."""
    named = os.environ.get("SCRATCHNET_BROWSER")
    path = next(filter(None, map(shutil.which, [named] if named else NAMES)), None)
    if path is None and named:
        pytest.fail(f"SCRATCHNET_BROWSER is {named!r}, and there is no such program.", pytrace=False)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed. SCRATCHNET_BROWSER can name one.")
    return path


class Browser:
    """with Browser(found()) as browser: browser.open(path) ... One page at a time; what it asked for and complained of is kept."""

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="scratchnet-browser-")
        its_in, self.to = os.pipe()
        self.back, its_out = os.pipe()
        words = [self.program, *SWITCHES, f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(["sh", "-c", f'exec "$@" 3< /dev/fd/{its_in} 4> /dev/fd/{its_out}', "sh", *words],
                                        pass_fds=(its_in, its_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(its_in), os.close(its_out)
        self.number, self.events, self.rest, self.session = 0, [], b"", None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.to), os.close(self.back)
        shutil.rmtree(self.profile, ignore_errors=True)

    def ask(self, method, **params):
        """One command and its answer; what the browser tells meanwhile goes to .events."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self.number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            self.events.append(told)

    def open(self, path, width=1280, height=900, dark=False):
        """Opens a file and waits until all of it is there."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Page.navigate", url="about:blank")
        self._wait("Page.loadEventFired")
        self.events = []
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self._wait("Page.loadEventFired")

    def value(self, script):
        """What a line of JavaScript gives, in the page."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def press(self, key):
        """A key, as from a keyboard."""
        code, text = {"Tab": (9, {}), "Enter": (13, {"text": "\r"})}[key]
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def complaints(self):
        """Errors and warnings of the console, exceptions, and what could not be loaded, since the page was opened."""
        self.value("new Promise(done => setTimeout(done, 50))")       # what comes late comes now
        said = []
        for event in self.events:
            about = event.get("params", {})
            if event["method"] == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
                said.append("console: " + " ".join(str(argument.get("value", argument.get("description"))) for argument in about["args"]))
            elif event["method"] == "Runtime.exceptionThrown":
                details = about["exceptionDetails"]
                said.append("exception: " + details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
                said.append(f"log: {about['entry']['text']} {about['entry'].get('url', '')}")
            elif event["method"] == "Network.loadingFailed":
                said.append(f"not loaded: {about['errorText']}")
        return said

    def requests(self):
        """The addresses that the page asked for since it was opened."""
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"]

    def screenshot(self, path, whole=True):
        picture = self.ask("Page.captureScreenshot", captureBeyondViewport=whole, **({"clip": self._whole()} if whole else {}))
        path.write_bytes(base64.b64decode(picture["data"]))

    def _whole(self):
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def _wait(self, method):
        while not any(event["method"] == method for event in self.events):
            self.events.append(self._next())
        self.events = [event for event in self.events if event["method"] != method]

    def _next(self):
        ends = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.back], [], [], max(0, ends - time.monotonic()))
            assert ready, f"the browser said nothing for {SECONDS} s"
            more = os.read(self.back, 1 << 20)
            assert more, f"the browser ended (exit code {self.process.poll()})"
            self.rest += more
        told, _, self.rest = self.rest.partition(b"\0")
        return json.loads(told)
