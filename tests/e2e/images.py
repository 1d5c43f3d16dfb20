"""`make images`: the buyer's pages as a phone shows them, from the real service, into docs/images."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from node.service import wait_until
from tests.api.test_buyer import filed, person
from tests.api.world import World, world

HOLDER: Final = 7
PHONE: Final = {"width": 390, "height": 780}
LOCALES: Final = ("ko-KR", "en-GB")


def settle(service: World) -> None:
    """File three parcels under one number: one cleared, one under way, one with another person's name."""
    cleared = filed(service, "images-cleared", HOLDER).checked()
    cleared.carried_in()
    filed(service, "images-way", HOLDER).checked()
    filed(service, "images-stolen", HOLDER, name="표본인 99999").settled("IDENTITY_STOPPED")


def shots(service: World, page: Page) -> Iterator[str]:
    """Go through the pages; yield a name for each that stands on the screen."""
    told = person(HOLDER)
    page.goto(f"{service.url}/")
    page.fill("#pccc", told["pccc"])
    page.fill("#phone", told["phone"])
    yield "sign-in"
    page.click("main button")
    sender = service.desk.sign_in._sender
    wait_until(lambda: told["phone"] in sender.newest, 10)
    page.fill("#code", sender.newest.pop(told["phone"]))
    page.click("main button")
    page.wait_for_url("**/uses")
    yield "uses"
    page.click("h2 a")
    page.wait_for_url("**/uses/use_*")
    yield "use"
    page.goto(f"{service.url}/number")
    yield "number"


def main(folder: Path) -> None:
    """Take every picture in both languages."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("There is no chromium: make browser")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, world(Path(home)) as service, sync_playwright() as play:
        settle(service)
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for locale in LOCALES:
            page = browser.new_context(viewport=PHONE, locale=locale).new_page()
            for name in shots(service, page):
                page.screenshot(path=folder / f"{name}-{locale[:2]}.png", full_page=True)
                print(folder / f"{name}-{locale[:2]}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
