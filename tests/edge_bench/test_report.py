"""The report: self-contained, inert, complete."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from results import example

from edge_bench.plots import accuracy_interval, accuracy_versus_size
from edge_bench.report import kilobytes, render_report, write_report
from edge_bench.schema import parse_bench
from irnet_keras.errors import UsageError

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>$x^{'\"--&"


class Tags(HTMLParser):
    """Collects start tags with attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_report_asks_the_network_for_nothing() -> None:
    html = render_report(example().with_accuracy({"int8": {"accuracy": 0.5, "num_examples": 10}}))
    page = Tags(html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            if name in {"src", "srcset", "href", "xlink:href", "action", "data"}:
                assert (value or "").startswith("#"), (tag, name, value)
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_html_in_names_notes_and_verification_is_inert() -> None:
    result = example("float32", HOSTILE).with_accuracy(
        {HOSTILE: {"accuracy": 0.5, "num_examples": 10}}
    )
    html = render_report(result, title=HOSTILE, notes=[HOSTILE], verify={HOSTILE: {"a": HOSTILE}})
    page = Tags(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    # title twice, note, table row, latency ratio's reference not, conditions, verification twice
    assert page.text.count(HOSTILE) >= 6


def test_every_build_and_number_is_in_the_report() -> None:
    result = example().with_accuracy({"w1a1": {"accuracy": 0.8123, "num_examples": 10000}})
    verify = {"w1a1": {"passed": True, "values_compared": 12345, "oracle": None}}
    text = Tags(render_report(result, notes=["A note."], verify=verify)).text
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    for build in result.builds:
        assert build.name in text
        assert f"{build.median_ms:.3f} ms" in text
        assert build.sha256 in text
    for expected in (
        "81.23 % ± 0.77", "(n = 10,000)", "2.00 (1.90 to 2.10)", "Cortex-A72", "A note.",
        "w1a1 / passed", "yes", "w1a1 / values compared", "12,345", "performance",
        "2026-01-02 03:04:05", "not measured",
    ):  # fmt: skip
        assert expected in text


def test_figures_follow_the_page_colours() -> None:
    html = render_report(example())
    assert html.count("<svg") == 2  # no accuracy, so no figure of it
    assert "#010203" not in html
    assert "currentColor" in html
    assert accuracy_versus_size(example().builds) is None


def test_one_file_in_two_runtimes_is_one_point_with_both_names() -> None:
    names = ("float32", "1-bit", "1-bit (LCE)")
    value = example(*names).model_dump(mode="json")
    value["builds"][2]["size_bytes"] = value["builds"][1]["size_bytes"]
    score = {"accuracy": 0.81, "num_examples": 1000}
    result = parse_bench(value, "x").with_accuracy(dict.fromkeys(names, score))
    figure = accuracy_versus_size(result.builds)
    assert figure is not None
    assert figure.count(">1-bit<") == figure.count(">1-bit (LCE)<") == 1
    assert figure.count(">float32<") == 1
    markers = len(re.findall(r'<use [^>]*style="[^"]*stroke: #', figure))
    other = accuracy_versus_size(result.builds[:2])
    assert other is not None
    assert len(re.findall(r'<use [^>]*style="[^"]*stroke: #', other)) == markers


def test_the_report_is_the_same_every_time() -> None:
    assert render_report(example()) == render_report(example())


def test_accuracy_interval_by_hand() -> None:
    build = example("a").with_accuracy({"a": {"accuracy": 0.9, "num_examples": 900}}).builds[0]
    assert accuracy_interval(build) == (90.0, pytest.approx(1.96))  # 1.96 * sqrt(.09 / 900)


def test_sizes_are_in_thousands_of_bytes() -> None:
    assert kilobytes(57_476) == "57.5 kB"
    assert kilobytes(1_099_136) == "1,099.1 kB"
    assert kilobytes(45_200_000) == "45.2 MB"


def test_unwritable_report_is_a_usage_error(tmp_path: Path) -> None:
    assert write_report(example(), tmp_path / "r.html").stat().st_size > 10_000
    with pytest.raises(UsageError, match="cannot write"):
        write_report(example(), tmp_path / "missing" / "r.html")
