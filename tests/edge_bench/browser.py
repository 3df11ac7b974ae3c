"""A headless Chromium, driven through its DevTools protocol over two pipes."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60.0


def find_browser() -> str | None:
    """Path of a browser, None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page at a time.

    Attributes:
        events: (method, parameters) of what the page caused, in order.
    """

    def __init__(self, program: str) -> None:
        self._ids = 0
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._profile = tempfile.TemporaryDirectory()
        theirs_in, self._out = os.pipe()
        inside, theirs_out = os.pipe()

        def give_pipes() -> None:  # as file descriptors 3 and 4, where Chromium expects them
            read, write = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                f"--user-data-dir={self._profile.name}", "--remote-debugging-pipe", "about:blank",
            ],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=give_pipes,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._reader = os.fdopen(inside, "rb", buffering=0)
        self._buffer = b""
        self._timer = threading.Timer(_SECONDS, self._process.kill)
        self._timer.start()
        pages = [t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session: str | None = self._call(
            "Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        self._reader.close()
        os.close(self._out)
        with contextlib.suppress(OSError):
            self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> Any:
        """Result of a method of the page's session."""
        return self._call(method, self._session, **parameters)

    def open(self, page: Path, *, width: int, dark: bool) -> None:
        """Load a file at a width, in a colour scheme; ``events`` then are its own."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            self._take(next(self._messages()))
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression."""
        return self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        return [p["request"]["url"] for m, p in self.events if m == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """Errors, warnings and messages of the console."""
        return [
            json.dumps(p)
            for m, p in self.events
            if m in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        ]

    def _call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        self._ids += 1
        message: dict[str, Any] = {"id": self._ids, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("id") == self._ids:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._take(answer)
        raise RuntimeError(f"the browser ended during {method}")

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self.events.append((message["method"], message.get("params", {})))

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\0" not in self._buffer:
                data = self._reader.read(1 << 16)
                if not data:
                    raise RuntimeError("the browser ended")
                self._buffer += data
            text, _, self._buffer = self._buffer.partition(b"\0")
            yield json.loads(text)
