"""The report in headless Chromium: nothing is loaded, nothing runs, and everybody can read it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from chromium import PROGRAM, Chromium
from PIL import Image

from conftest import FIXTURES
from hostile import HOSTILE, hostile, hostile_walk
from improve.engine.data.prepare import prepare
from improve.spec.spec import Spec
from improve.views.report.page import report

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / ".browser" / "node_modules" / "axe-core" / "axe.min.js"
GOLDEN = FIXTURES / "runs"
NAMES = ("digits_base", "digits_lr_x100", "digits_nan_rate", "digits_mismatch_invert", "fashion_imbalance50")
PHONE, DESKTOP = 390, 1280
OVERFLOWING = """[...document.querySelectorAll("body *")].filter(one =>
    !one.closest(".scroll, pre, svg, .hidden, .skip") && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.outerHTML.slice(0, 200))"""


def missing(what: str, fix: str) -> None:
    """Where a browser is demanded, as in CI, a test that is left out is one that fails."""
    (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(f"there is no {what}: {fix}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PROGRAM is None:
        missing("Chromium", "apt-get install chromium")
    page = Chromium(tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


@pytest.fixture(scope="module")
def axe():
    if not AXE.is_file():
        missing("axe-core", "make .browser")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Five real runs, one of which diverged, and one of which was damaged later."""
    folder = tmp_path_factory.mktemp("runs")
    for name in NAMES:
        shutil.copytree(GOLDEN / name, folder / name)
    shutil.copytree(GOLDEN / "digits_base", folder / "torn")
    (folder / "torn" / "summary.json").write_text("{")
    file = folder / "report.html"
    file.write_text(report(sorted(one for one in folder.iterdir() if one.is_dir())), encoding="utf-8")
    return file


@pytest.fixture
def with_pictures(make_run, tmp_path):
    """A run with its surest mistakes as images."""
    data = prepare(Spec())
    part = data.parts["validation"]
    probability = np.full((len(part), 10), 0.01, np.float32)
    probability[np.arange(len(part)), np.where(np.arange(len(part)) < 9, (part.labels + 1) % 10, part.labels)] = 0.91
    evidence = {"predictions": {"validation": (part.labels, probability)}}
    run = make_run("digits", evidence=evidence, fingerprint=data.statistics["validation"].digest)
    (tmp_path / "report.html").write_text(report([run.folder]), encoding="utf-8")
    return tmp_path / "report.html"


def assert_quiet(browser, file):
    """No word in the console, no error, no window, and no address but the page's own and those that hold their data."""
    events = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening")
    assert [told for event in events for told in browser.told(event)] == []
    asked = {one["request"]["url"] for one in browser.told("Network.requestWillBeSent")}
    assert {address for address in asked if not address.startswith("data:")} == {file.as_uri()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_page_is_quiet_and_nothing_sticks_out(browser, page, tmp_path, width, scheme):
    browser.show(page, width, scheme)
    browser.screenshot(tmp_path / "page.png")
    assert_quiet(browser, page)
    assert browser.evaluate(OVERFLOWING) == []
    assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    taken = Image.open(tmp_path / "page.png").convert("L")
    paper = max(taken.getcolors(256))[1]  # the commonest shade
    assert taken.height > 5000
    assert paper > 240 if scheme == "light" else paper < 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_axe_finds_nothing_serious(browser, axe, page, width, scheme):
    browser.show(page, width, scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.evaluate(f"{axe}; 0")
    found = browser.evaluate("axe.run().then(found => found.violations.map(one => [one.impact, one.id, one.help,"
                             "one.nodes.slice(0, 3).map(node => node.html.slice(0, 160))]))")  # fmt: skip
    assert [one for one in found if one[0] in ("serious", "critical")] == []
    assert len(browser.evaluate("axe.run().then(found => found.passes.map(one => one.id))")) > 20


def test_pictures_are_shown_from_within_the_page(browser, with_pictures):
    browser.show(with_pictures)
    assert_quiet(browser, with_pictures)
    sizes = browser.evaluate("[...document.images].map(one => [one.complete, one.naturalWidth])")
    assert sizes == [[True, 8]] * 9


def test_hostile_names_are_words_and_nothing_else(browser, make_run, tmp_path):
    texts = [*HOSTILE.values(), "</title></style><script>window.pwned = 1</script>", "<img src=x onerror=alert(1)>"]
    folders = [hostile(make_run, text, number) for number, text in enumerate(texts)]
    file = tmp_path / "report.html"
    file.write_text(report(folders), encoding="utf-8")
    for width in (PHONE, DESKTOP):
        browser.show(file, width)
        assert_quiet(browser, file)
        assert browser.evaluate("[document.scripts.length, document.images.length, typeof pwned]") == [
            0, 0, "undefined",
        ]  # fmt: skip
        assert browser.evaluate(OVERFLOWING) == []
        assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert "<script>alert(1)</script>" in browser.evaluate("document.body.innerText")


def test_a_script_that_got_into_the_page_would_not_run(browser, page):
    browser.show(page)
    browser.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'pwned = 1'}))")
    browser.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"https://example.org/x.png\">')")
    assert browser.evaluate("typeof pwned") == "undefined"
    told = " ".join(entry["entry"]["text"] for entry in browser.told("Log.entryAdded"))
    assert "Content Security Policy" in told
    assert "img-src" in told


def test_it_is_read_with_the_keyboard_alone(browser, page):
    browser.show(page)
    browser.press("Tab", 9)
    assert browser.evaluate("document.activeElement.className") == "skip"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    browser.press("Enter", 13)
    assert browser.evaluate("document.activeElement.id") == "content"
    scrolling = browser.evaluate("""[...document.querySelectorAll("*")].filter(one =>
        one.scrollWidth > one.clientWidth + 1 && one.tabIndex < 0
        && getComputedStyle(one).overflowX == "auto").length""")
    assert scrolling == 0


def test_on_paper_everything_is_open(browser, page):
    closed = "[...document.querySelectorAll('details > pre')].map(one => one.checkVisibility())"
    browser.show(page)
    assert not any(browser.evaluate(closed))
    browser.show(page, media="print")
    assert all(browser.evaluate(closed))
    assert not browser.evaluate("document.querySelector('nav').checkVisibility()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_story_of_a_walk_is_read_by_everybody(browser, axe, walk, width, scheme):
    file = walk.folder / "report.html"
    file.write_text(report([walk.folder]), encoding="utf-8")
    browser.show(file, width, scheme)
    assert_quiet(browser, file)
    assert browser.evaluate(OVERFLOWING) == []
    assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    lefts = browser.evaluate("[...document.querySelectorAll('.tree li')].map(one => one.getBoundingClientRect().left)")
    assert lefts == sorted(lefts)  # each deeper, or as deep
    assert lefts[0] < lefts[1] < lefts[2] == lefts[3]
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.evaluate(f"{axe}; 0")
    found = browser.evaluate("axe.run().then(found => found.violations.map(one => [one.impact, one.id, one.help]))")
    assert [one for one in found if one[0] in ("serious", "critical")] == []


def test_hostile_words_of_a_walk_are_words_and_nothing_else(browser, walk):
    file = walk.folder / "report.html"
    file.write_text(report([hostile_walk(walk, "</title></style><script>window.pwned = 1</script>" * 9)]))
    for width in (PHONE, DESKTOP):
        browser.show(file, width)
        assert_quiet(browser, file)
        assert browser.evaluate("[document.scripts.length, typeof pwned]") == [0, "undefined"]
        assert browser.evaluate(OVERFLOWING) == []
