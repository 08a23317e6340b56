"""What a page shows of an example is what the example's files say."""

from __future__ import annotations

from tests.docs.markdown import ROOT, blocks


def test_the_steps_that_the_guide_shows_of_two_step_packaging_are_in_its_file() -> None:
    guide = (ROOT / "docs" / "builds.md").read_text()
    file = (ROOT / "docs" / "examples" / "two-step-packaging" / "tidegate.yaml").read_text()
    shown = ["\n".join(block.lines) for block in blocks(guide) if "      artifacts: {image: image.tar}" in block.lines]
    assert any(block in file for block in shown)
