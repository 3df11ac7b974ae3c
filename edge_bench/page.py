"""Self-contained HTML pages from the package's templates."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render_template(name: str, **values: Any) -> str:
    """The page as HTML text; every value is escaped unless its template marks it as safe.

    Args:
        name: file in ``edge_bench/templates``, an extension of ``page.html.j2``.
        values: what the template shows; a missing one is an error.
    """
    environment = Environment(
        loader=PackageLoader("edge_bench"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["named"] = named
    return environment.get_template(name).render(**values)


def named(svg: str, name: str) -> Markup:
    """A figure of :mod:`edge_bench.figures` as one image with a name for screen readers."""
    opening = Markup('<svg role="img" aria-label="{}" ').format(name)
    return opening + Markup(svg.removeprefix("<svg "))  # names in it were escaped when drawn
