"""Where the API's routes are, and what all of them have in common."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute

from tidegate.api.problems import Problem

API = "/api/v1"


def noun_router(tag: str, prefix: str = "", route_class: type[APIRoute] = APIRoute) -> APIRouter:
    """The routes of one noun, whole as they are: to include them in another router would make each a second time, which
    for all of them takes a tenth of a second at every start."""
    return APIRouter(
        prefix=API + prefix,
        tags=[tag],
        route_class=route_class,
        responses={"default": {"model": Problem, "description": "What is wrong"}},
        generate_unique_id_function=name_of,
    )


def name_of(route: APIRoute) -> str:
    """By what a route is called in the API's description."""
    return route.name
