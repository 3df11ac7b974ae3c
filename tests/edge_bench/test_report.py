"""The report: self-contained, inert, complete."""

import csv
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from results import example, version_1

from edge_bench.headline import headline
from edge_bench.plots import accuracy_interval, accuracy_latency_size, axis_end
from edge_bench.remote import merged
from edge_bench.report import kilobytes, render_report, write_report
from edge_bench.schema import BenchResult, parse_bench
from edge_bench.tables import COLUMNS, csv_text, markdown, model_card
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


def test_the_scatter_names_every_scored_build_and_its_size() -> None:
    names = ("float32", "1-bit", "1-bit (LCE)", "int8")
    score = {"accuracy": 0.81, "num_examples": 1000}
    result = example(*names).with_accuracy(dict.fromkeys(names[:3], score))
    figure = accuracy_latency_size(result.builds)
    assert figure is not None
    assert re.findall(r">([^<>]+ MB)<", figure) == [
        "float32, 1 MB", "1-bit, 0.5 MB", "1-bit (LCE), 0.333 MB",
    ]  # fmt: skip
    assert accuracy_latency_size(result.builds[2:]) is None  # one score is no comparison


def test_the_report_is_the_same_every_time() -> None:
    assert render_report(example()) == render_report(example())


def test_the_latency_axis_leaves_the_bars_room() -> None:
    """Medians 1 and 2 ms; then a busy machine with a 90th percentile of 30 ms."""
    value = example("a", "b").model_dump(mode="json")
    for build, median in zip(value["builds"], (1.0, 2.0), strict=True):
        build |= {"median_ms": median, "p90_ms": 1.1 * median}
    quiet = parse_bench(value, "x")
    assert axis_end(quiet.builds) == pytest.approx(1.05 * 2.2)
    assert "cut where the axis ends" not in render_report(quiet)
    value["builds"][0]["p90_ms"] = 30.0
    busy = parse_bench(value, "x")
    assert axis_end(busy.builds) == pytest.approx(3.2)
    assert "cut where the axis ends" in render_report(busy)


def test_a_profile_that_tells_nothing_apart_is_not_shown() -> None:
    value = example("float32").model_dump(mode="json")
    row = {"op": "other operators (runtime)", "name": "", "node": None, "mean_ms": 1, "share": 1}
    value["builds"][0]["profile"] = [row]
    result = parse_bench(value, "x")
    html = render_report(result)
    assert "other operators" not in html
    assert html.count("<svg") == 2


def test_results_of_several_targets_say_how_each_was_measured() -> None:
    here = example()
    value = here.model_dump(mode="json")
    value["devices"][0] |= {"name": "ssh://pi", "kind": "ssh"}
    value["context"]["timed"] = "the tool's own clock"
    value["builds"] = [{**build, "device": "ssh://pi"} for build in value["builds"]]
    both = merged([here, parse_bench(value, "x")])
    assert both.context.timed == "on local: one run; on ssh://pi: the tool's own clock"
    assert both.context.order == "random"
    assert merged([here]).context == here.context


@pytest.mark.filterwarnings("error")
def test_names_of_other_scripts_are_drawn_without_complaint() -> None:
    assert "模型" in render_report(example("float32", "模型"))


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


def profiled() -> BenchResult:
    """Scores, profiles and a warning, on two devices."""
    value = example().model_dump(mode="json")
    rows = [
        {"op": "CONV_2D", "name": "stem", "node": 0, "mean_ms": 0.6, "share": 0.6, "kind": "float"},
        {"op": "LceBconv2d", "name": "a", "node": 1, "mean_ms": 0.3, "share": 0.3, "kind": "1-bit"},
        *(
            {"op": "ADD", "name": f"b{i}", "node": i, "mean_ms": 0.01, "share": 0.01}
            for i in range(2, 20)
        ),
    ]
    value["builds"][2]["profile"] = rows
    value["devices"][0]["warnings"] = ["it was hot & busy"]
    value["devices"].append({**value["devices"][0], "name": "ssh://pi", "kind": "ssh"})
    call = {"count": 9, "mean_ms": 1.0, "min_ms": 1.0, "max_ms": 1.0, "std_ms": 0.0}
    there = {
        "device": "ssh://pi", "sample": "call", "tool": {"name": "benchmark_model"},
        "calls": [call] * 5,
    }  # fmt: skip
    value["builds"] += [{**b, **there} for b in value["builds"]]
    return parse_bench(value, "x").with_accuracy(
        {
            "float32": {"accuracy": 0.9, "num_examples": 1000},
            "w1a1": {"accuracy": 0.875, "num_examples": 1000},
        }
    )


def test_headline_by_hand() -> None:
    found = headline(profiled(), "local")
    assert found is not None
    # 1,000,000 over 333,333 bytes; a ratio of 2.0 is half as fast; 87.5 - 90 points
    assert found.parts == (
        ("3.0 x", "smaller"),
        ("2.0 x", "slower"),
        ("-2.50", "points of accuracy"),
    )
    assert found.sentence.startswith("w1a1 against float32: 3.0 x smaller, 2.0 x slower, -2.50")
    assert found.sentence.endswith("(speed: 95 % interval 0.48 to 0.53)")
    assert headline(example("one"), "local") is None


def test_each_device_has_its_table_figures_and_warnings() -> None:
    result = profiled()
    html = render_report(result)
    page = Tags(html)
    assert page.text.count("it was hot & busy") == 2
    assert [t for t in ("Results on local", "Results on ssh://pi") if t in page.text] == [
        "Results on local", "Results on ssh://pi",
    ]  # fmt: skip
    names = [a["aria-label"] or "" for tag, a in page.tags if tag == "svg"]
    assert [a["role"] for tag, a in page.tags if tag == "svg"] == ["img"] * 8
    assert all(names)
    assert [name.split(":")[0].split(";")[0] for name in names[:4]] == [
        "Accuracy over latency", "Median latency",
        "Distribution of the samples of latency", "Time per operator of w1a1",
    ]  # fmt: skip
    assert "float32 90.0 %, w1a1 87.5 %" in names[0]
    assert "CONV_2D, 60%" in names[3]
    assert page.text.count("Where the time of w1a1 goes") == 2
    assert "60 %, 0.6 ms" in page.text
    assert "sum of 6 others" in page.text  # 20 operators, 14 of them shown
    assert "On local: 40 samples per build in 10 rounds, after 5 warm-up runs" in page.text
    assert (
        "On ssh://pi: 40 samples per build in 5 rounds, after 5 warm-up runs in each call of"
        in (page.text)
    )
    assert page.text.count("a sample is the mean of one call") == 1


def test_another_network_is_shown_beside() -> None:
    reference = example("mobilenet").with_accuracy(
        {"mobilenet": {"accuracy": 0.7, "num_examples": 50}}
    )
    text = Tags(render_report(example(), reference=reference)).text
    assert "mobilenet" in text
    assert "another network" in text
    sha = reference.builds[0].sha256
    assert text.count(sha) == 4  # of the example's three builds, too
    assert "The other network, 2026-01-02" in text
    assert "| mobilenet | 1,000.0 kB | " in markdown(example(), reference)
    assert "| another network | 70.00 % of 50 |" in markdown(example(), reference)
    assert f"- mobilenet: `{sha}`" in model_card(example(), reference)
    rows = list(csv.DictReader(io.StringIO(csv_text(example(), reference))))
    assert [(row["name"], row["ratio"]) for row in rows[-2:]] == [
        ("w1a1", "2.0"),
        ("mobilenet", ""),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "adb:1"}, "--reference ran on adb:1, the result on local"),
        ({"cpu_model": "Cortex-A53"}, "CPU of local is Cortex-A53, not Cortex-A72"),
        ({"cores": 8}, "number of cores of local is 8, not 4"),
        ({"machine": "armv7l"}, "instruction set of local is armv7l, not aarch64"),
    ],
)
def test_a_network_measured_elsewhere_is_refused(change: dict, message: str) -> None:
    """Every machine calls itself local."""
    value = example("mobilenet").model_dump(mode="json")
    value["devices"][0] |= change
    value["builds"][0]["device"] = value["devices"][0]["name"]
    reference = parse_bench(value, "x")
    for render in (render_report, markdown, csv_text):
        with pytest.raises(UsageError, match=message):
            render(example(), reference=reference)


def test_csv_has_a_row_per_build_and_no_formula() -> None:
    value = profiled().model_dump(mode="json")
    value["builds"][0]["name"] = "=HYPERLINK(1)"
    value["builds"][1]["ratio"] = value["builds"][2]["ratio"] = None
    rows = list(csv.DictReader(io.StringIO(csv_text(parse_bench(value, "x")))))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["device"], r["name"]) for r in rows][:2] == [
        ("local", "'=HYPERLINK(1)"), ("local", "int8"),
    ]  # fmt: skip
    assert len(rows) == 6
    assert (rows[0]["ratio"], rows[4]["ratio"], rows[4]["ratio_to"]) == ("", "2.0", "float32")
    assert float(rows[2]["median_ms"]) == value["builds"][2]["median_ms"]
    assert (rows[2]["accuracy"], rows[1]["accuracy"]) == ("0.875", "")
    assert rows[0]["samples"] == "40"


def test_markdown_and_model_card_say_the_same_numbers() -> None:
    result = profiled()
    table = markdown(result)
    assert "| w1a1 | 333.3 kB | " in table
    assert "| 0.50 (0.48 to 0.53) | 87.50 % of 1,000 |" in table
    assert table.count("| Build | Size |") == 2
    assert table.index("**local**\n\n| Build") < table.index("**ssh://pi**\n\n| Build")
    assert "**local**" not in markdown(example())
    assert "Warning: it was hot \\& busy." in table
    card = model_card(result)
    assert card.startswith("## Measured on the edge\n")
    assert table.rstrip() in card
    assert f"- w1a1: `{result.builds[2].sha256}`" in card
    hostile = markdown(example("float32", HOSTILE))
    assert "<script>" not in hostile
    for line in hostile.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 7


def test_report_command_writes_all_forms(tmp_path: Path) -> None:
    results, other = tmp_path / "r.json", tmp_path / "mobilenet.json"
    results.write_text(json.dumps(version_1()))  # an old file
    other.write_text(example("mobilenet").model_dump_json())
    outputs = [tmp_path / name for name in ("r.html", "r.csv", "r.md", "card.md")]
    options = zip(("-o", "--csv", "--markdown", "--model-card"), outputs, strict=True)
    command = [sys.executable, "-m", "irnet_cli", "report", results, "--reference", other]
    answer = subprocess.run(
        [*command, *(word for pair in options for word in pair)], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [str(path) for path in outputs]
    assert "mobilenet" in outputs[0].read_text()
    assert outputs[1].read_text().startswith("device,name,size_bytes,")
    assert str(tmp_path) not in "".join(path.read_text() for path in outputs)
