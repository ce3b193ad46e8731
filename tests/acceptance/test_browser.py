"""Two pages in a real browser: a person leaves a list with the keyboard, and reads a post on a small screen by night."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.community import community

async_api = pytest.importorskip("playwright.async_api", reason="no browser: playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser: there is no chromium")
_QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync")
PARTS = ("smtp", "deliver", "web")

# What a person would see as text, and its contrast with what is behind it, by the formula of WCAG 2.2 §1.4.3.
CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'rgb(255, 255, 255)'; };
  const found = [];
  for (const e of document.querySelectorAll('h1, h2, p, li, a, summary, button, .text, blockquote')) {
    const a = light(getComputedStyle(e).color), b = light(behind(e));
    found.push([e.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]); }
  return found; }"""


@asynccontextmanager
async def browser(**options: Any) -> AsyncIterator[Any]:
    """A page of Chromium that remembers which addresses it asked for."""
    async with async_api.async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_QUIET))
        try:
            page = await opened.new_page(**options)
            yield page
        finally:
            await opened.close()


async def _picture(page: Any, name: str) -> None:
    """Keep a picture for people to look at, where they asked for one."""
    folder = os.environ.get("LISTSERVER_TEST_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.timeout(120)
async def test_a_person_leaves_by_keyboard(tmp_path: Path) -> None:
    """The link of a mail, Tab to the only button, Enter: left; the button that undoes it; no scripts needed, no cookies set."""
    async with community(tmp_path, parts=PARTS) as one, browser(java_script_enabled=False) as page:
        one.join("gwen@example.net")
        await one.write("ruth@example.net")
        token = one.mails_to("gwen@example.net")[0]["List-Unsubscribe"].split("/u/")[1].split(">")[0]
        address = one.service.web_addresses[0]
        await page.goto(f"{address}/u/{token}")
        await _picture(page, "leave")
        assert await page.get_by_role("heading", level=1).inner_text() == "Leave Hartley Vale Tool Share?"
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="You have left Hartley Vale Tool Share").wait_for()
        await _picture(page, "left")
        assert await page.context.cookies() == []
        await one.settled()
        assert one.mails_to("gwen@example.net")[-1]["Subject"] == "You have left Hartley Vale Tool Share"
        await page.get_by_role("button", name="Stay in Tool Share").click()
        await page.get_by_role("heading", name="You are a member of Hartley Vale Tool Share").wait_for()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_post_reads_well_at_320_pixels(tmp_path: Path, scheme: str) -> None:
    """No sideways scrolling, every contrast at least 7:1, targets of 24 px, one h1, nothing asked of anybody else."""
    async with (
        community(tmp_path, parts=PARTS, options={"archive": "public"}) as one,
        browser(color_scheme=scheme, viewport={"width": 320, "height": 640}) as page,
    ):
        first = await one.write("ruth@example.net", text=f"It hung in the shed.\nhttps://example.org/{'ladder' * 20}\n")
        text = "> It hung in the shed.\n\nNot any more, and the gutter of the chapel hall needs doing.\n"
        await one.write("ruth@example.net", subject="Re: The long ladder", text=text, In_Reply_To=first)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        address = one.service.web_addresses[0]
        for path in ("/toolshare/p/1", "/toolshare/p/2", "/toolshare", "/"):
            await page.goto(address + path)
            await _picture(page, f"post-{scheme}{path.replace('/', '-')}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320, path
            assert await page.get_by_role("heading", level=1).count() == 1, path
            for tag, ratio in await page.evaluate(CONTRAST):
                assert ratio >= 7, (path, tag, ratio)
            sizes = "[...document.querySelectorAll('main li > a, nav a, button')].map(e => e.getBoundingClientRect().height)"
            assert min(await page.evaluate(sizes), default=24) >= 24, path
        assert asked
        assert all(url.startswith(address) for url in asked)
        await asyncio.sleep(0)
