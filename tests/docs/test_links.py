"""Every link of the documentation leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.markdown import ROOT, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    broken = [link for link in links(page.read_text()) if not _leads_somewhere(page, link)]
    assert not broken, f"{page.relative_to(ROOT)} has links to nothing"


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in links(index.read_text())}
    listed = {page for page in pages()[1:] if page.parent.name != "decisions" and page != index}
    assert listed <= linked, "docs/README.md does not name every page"


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading\n[there](page.md#a-heading) [not](page.md#another) [nor](other.md) [out](https://x.y/z)\n"
    )
    found = {link: _leads_somewhere(page, link) for link in links(page.read_text())}
    assert found == {"page.md#a-heading": True, "page.md#another": False, "other.md": False, "https://x.y/z": True}


def _leads_somewhere(page: Path, link: str) -> bool:
    if "://" in link or link.startswith("mailto:"):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in anchors(target.read_text())
