"""Views become HTML: templates hold loops and conditions only, and every value is escaped."""

from __future__ import annotations

from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tidegate.security.sign_in import Session

STATIC = Path(__file__).parent / "static"

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, session: Session | None, status: int = 200, **values: object) -> HTMLResponse:
    """The page made of a template and views; never kept by a cache."""
    who = session.identity.actor.name if session else None
    csrf = session.csrf if session else ""
    html = _templates.get_template(template).render(who=who, csrf=csrf, **values)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
