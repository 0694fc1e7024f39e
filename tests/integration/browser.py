"""A real Chromium for tests (Debian's package `chromium`), and how wide it finds a page."""

import re
import subprocess
from pathlib import Path

from tests.integration.prometheus import program

_MEASURING = """<!doctype html>
<iframe id="screen" src="{page}" style="width: {screen_px}px; height: 800px; border: 0"></iframe>
<script>
onload = () => document.title = document.getElementById("screen").contentDocument.documentElement.scrollWidth
</script>
"""


def width_px(page: Path, screen_px: int, folder: Path) -> int:
    """How wide a page is on a screen of so many pixels: more than those if it scrolls sideways.

    The page is shown in a frame, since a window of Chromium is never narrower than 500 pixels.
    """
    measuring = folder / "measuring.html"
    measuring.write_text(_MEASURING.format(page=page.as_uri(), screen_px=screen_px))
    asked = ["--headless", "--disable-gpu", "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}"]
    asked.append("--no-sandbox")  # which Chromium refuses to root; the pages are our own
    command = [program("chromium", "chromium"), *asked, "--dump-dom", measuring.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    found = re.search(r"<title>(\d+)</title>", done.stdout)
    assert found, done.stdout + done.stderr
    return int(found[1])
