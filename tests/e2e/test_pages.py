"""The buyer's pages in a real browser: signs with the device's key, reads well for everybody, works on a phone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from node.service import wait_until
from tests.api.journey import Journey
from tests.api.test_buyer import filed, person
from tests.api.world import World, world

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.slow
HOLDER = 20

# the browser runs in a process of its own: playwright's event loop and pytest's do not share one
BROWSE = """
import json, sys
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

told = json.loads(sys.argv[1])
seen = {"violations": [], "console": []}

def look(page):
    found = Axe().run(page)
    for each in found.response["violations"]:
        seen["violations"].append(f"{page.url}: {each['id']} {each['nodes'][0]['html'][:120]}")
    fits = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert fits, f"{page.url} is wider than a phone"

with sync_playwright() as play:
    browser = play.chromium.launch(executable_path=told["chromium"], args=["--no-sandbox"])
    page = browser.new_context(viewport={"width": 360, "height": 740}, locale=told["locale"]).new_page()
    page.on("console", lambda message: seen["console"].append(message.text))
    page.on("pageerror", lambda error: seen["console"].append(str(error)))
    page.goto(told["url"] + "/")
    look(page)
    page.fill("#pccc", told["pccc"])
    page.fill("#phone", told["phone"])
    page.click("main button")
    look(page)
    print("code?", flush=True)
    page.fill("#code", sys.stdin.readline().strip())
    page.click("main button")
    page.wait_for_url("**/uses")
    look(page)
    page.click("h2 a")
    page.wait_for_url("**/uses/use_*")
    look(page)
    page.click("button[value=denied]")
    page.wait_for_url("**/answer")
    look(page)
    seen["receipt"] = json.loads(page.inner_text("pre"))
    page.goto(told["url"] + "/number")
    look(page)
    page.click("button.danger")
    page.wait_for_url("**/freeze")
    page.goto(told["url"] + "/number")
    look(page)
    page.fill("#until", page.get_attribute("#until", "min"))
    page.click("form[action='/number/thaw'] button")
    page.wait_for_url("**/thaw")
    seen["thawed"] = json.loads(page.inner_text("pre"))
    browser.close()
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> object:
    with world(tmp_path_factory.mktemp("pages")) as made:
        yield made


@pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no chromium: apt-get install chromium")
@pytest.mark.parametrize("locale", ["ko-KR", "en-GB"])
def test_a_holder_denies_freezes_and_thaws(service: World, locale: str, tmp_path: Path) -> None:
    assert CHROMIUM, "chromium is not installed"
    number = HOLDER + (locale == "en-GB")
    journey: Journey = filed(service, f"pages-{locale}", number).settled("IDENTITY_CHECKED")
    told = {"url": service.url, "chromium": CHROMIUM, "locale": locale, **person(number)}
    script = tmp_path / "browse.py"
    script.write_text(BROWSE)
    with subprocess.Popen(
        [sys.executable, str(script), json.dumps(told)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as browser:
        assert browser.stdout is not None
        assert browser.stdin is not None
        assert browser.stdout.readline().strip() == "code?"
        sender = service.desk.sign_in._sender
        assert wait_until(lambda: told["phone"] in sender.newest, 10)
        browser.stdin.write(sender.newest.pop(told["phone"]) + "\n")
        browser.stdin.flush()
        seen = json.loads(browser.stdout.read())
    assert browser.returncode == 0
    assert seen["violations"] == []
    assert seen["console"] == []
    assert seen["receipt"]["signed_by_buyer"], "the browser's key signed the denial"
    assert seen["thawed"]["signed_by_buyer"]
    journey.settled("IDENTITY_STOPPED")
