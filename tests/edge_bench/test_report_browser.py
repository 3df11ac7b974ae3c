"""The report in a real browser: quiet, asks for nothing, readable on a phone, light and dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import NAMES, Browser, find_browser
from test_report import profiled

from edge_bench.report import write_report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip(f"needs a browser, one of {', '.join(NAMES)} (apt-get install chromium)")
    with Browser(program) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(profiled(), tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360], ids=["desk", "phone"])
def test_no_complaints_no_requests_nothing_cut(
    browser: Browser, page: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = (
        browser.evaluate(f"getComputedStyle(document.body).{p}")
        for p in ("color", "backgroundColor")
    )
    assert (paper, ink) == (
        ("rgb(21, 24, 27)", "rgb(228, 231, 234)")
        if dark
        else ("rgb(253, 253, 252)", "rgb(29, 33, 37)")
    )
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_every_figure_has_an_accessible_name(browser: Browser, page: Path) -> None:
    browser.open(page, width=1200, dark=False)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    images = [n for n in nodes if n.get("role", {}).get("value") in ("image", "img")]
    names = [n["name"]["value"] for n in images]
    assert len(names) == browser.evaluate("document.querySelectorAll('svg').length") == 8
    assert all(names)
    assert "longest: CONV_2D, 60%" in names[3]


def test_a_page_that_asks_and_complains_is_noticed(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error(1)</script>")
    browser.open(bad, width=360, dark=False)
    assert "http://127.0.0.1:9/x.png" in browser.requests()
    assert any("console" in c or "ERR_" in c for c in browser.complaints())
