"""The report page in a real browser: nothing in the console, nothing asked for, nothing cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.browser import CHROMIUM, Tab, tab
from support.page_sample import IDS, PATHS, page, texts

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")]

LEAKS = """[...document.querySelectorAll("main *")].filter((one) => {
  const inside = one.closest(".scroll, .plate, .hidden, details:not([open])");
  return !inside && one.getBoundingClientRect().right > WIDTH + 0.5;
}).map((one) => one.outerHTML.slice(0, 200))"""
CUT = """[...document.querySelectorAll(".chart svg")].filter((svg) => svg.checkVisibility()).flatMap((svg) => {
  const canvas = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.left < canvas.left - 1 || box.right > canvas.right + 1 || box.bottom > canvas.bottom + 1;
  }).map((text) => `${svg.querySelector("title").textContent}: ${text.textContent}`);
})"""


def leaks(browser: Tab, width: int) -> list[str]:
    """Elements that reach over the right edge of the window."""
    found: list[str] = browser.evaluate(LEAKS.replace("WIDTH", str(width)))
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("page") / "index.html"
    found.write_text(page())
    return found


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Tab]:
    with tab(tmp_path / "profile") as found:
        yield found


@pytest.mark.parametrize(
    ("width", "dark"),
    [(1280, False), *(pytest.param(*one, marks=pytest.mark.long) for one in [(768, True), (390, False), (320, True)])],
)
def test_the_page_is_whole_silent_and_offline(browser: Tab, file: Path, width: int, dark: bool) -> None:
    browser.open(file, width, dark)
    assert browser.evaluate("[...document.querySelectorAll('main > section')].map((one) => one.id)") == list(IDS)
    assert browser.evaluate("document.documentElement.scrollWidth") == width, leaks(browser, width)
    assert leaks(browser, width) == []
    assert browser.evaluate(CUT) == []
    assert browser.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(17, 20, 26)" if dark else "rgb(255, 255, 255)")
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [file.as_uri()]


def test_the_theme_turns_and_the_page_needs_no_script(browser: Tab, file: Path) -> None:
    browser.open(file, 1280)
    paper = "getComputedStyle(document.body).backgroundColor"
    assert browser.evaluate("document.querySelector('#theme').textContent") == "Dark"
    browser.evaluate("document.querySelector('#theme').click()")
    assert browser.evaluate(paper) == "rgb(17, 20, 26)"
    assert browser.evaluate("document.querySelector('#theme').textContent") == "Light"
    browser.evaluate("document.querySelector('#theme').click()")
    assert browser.evaluate(paper) == "rgb(255, 255, 255)"
    browser.events.clear()
    browser.open(file, 1280, scripts=False)
    assert browser.evaluate("[...document.querySelectorAll('button')].some((one) => one.checkVisibility())") is False
    assert browser.evaluate("document.querySelectorAll('main > section h2').length") == len(IDS)
    assert browser.evaluate("document.querySelectorAll('.chart svg').length") > 20


def test_paper_is_light_and_nothing_is_cut(browser: Tab, file: Path) -> None:
    browser.open(file, 760, dark=True)
    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    browser.send("Emulation.setEmulatedMedia", media="print", features=[scheme])
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("document.querySelector('nav').checkVisibility()") is False
    assert browser.evaluate(CUT) == []
    kept = "[...document.querySelectorAll('figure')].every((one) => getComputedStyle(one).breakInside === 'avoid')"
    assert browser.evaluate(kept)
    assert browser.send("Page.printToPDF")["data"]


def test_the_policy_stops_a_foreign_script_and_a_foreign_image(browser: Tab, file: Path, tmp_path: Path) -> None:
    """The tests above could not fail without a policy that works, and a console that is heard."""
    evil = tmp_path / "evil.html"
    added = "<script>document.title = 'stolen'</script><img src='http://127.0.0.1:9/a.png'>"
    evil.write_text(file.read_text().replace("</main>", f"{added}</main>"))
    browser.open(evil, 1280)
    assert browser.evaluate("document.title") != "stolen"
    assert len(browser.complaints()) >= 2


def test_long_names_of_a_users_own_stay_inside(browser: Tab, tmp_path: Path) -> None:
    name = "a_column_with_a_name_that_is_far_longer_than_any_of_ours"
    long = {
        key: text.replace("sku_mean", name).replace("lightgbm", "w" * 40).replace("WHITE HEART", "W" * 90)
        for key, text in texts().items()
    }
    file = tmp_path / "long.html"
    file.write_text(page(**{key: long[PATHS[key]] for key in ("DRIFT", "SHAP", "MODELS", "PRICE_CURVES")}))
    for width in (1280, 390):
        browser.events.clear()
        browser.open(file, width)
        assert browser.evaluate("document.documentElement.scrollWidth") == width, leaks(browser, width)
        assert browser.evaluate(CUT) == []
