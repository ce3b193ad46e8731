"""Where our words come from: jinja2 templates, one file a mail, looked up in the site's folder first, then in the package.

A missing value is an error, not an empty place. Autoescape is on for HTML and off for text. What a template yields never
becomes a header unchecked: that goes through the one header writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateNotFound, select_autoescape

FALLBACK_LANGUAGE = "en"


def bundled() -> Path:
    """The templates that came with the package: inside the wheel, or beside it in a checkout."""
    inside = Path(__file__).parent.parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent.parent / "templates"


class Templates:
    """Finds templates by language and name."""

    def __init__(self, override: Path | None = None) -> None:
        folders = ([override] if override is not None else []) + [bundled()]
        self._environment = Environment(
            loader=FileSystemLoader(folders),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False, default_for_string=False),
        )

        self._environment.filters.update(day=_day, day_and_year=lambda when: f"{when.day} {when:%B %Y}")

    def get(self, folder: str, language: str, name: str) -> Template:
        """A template in a language, else in its plain form (pt for pt-BR), else in English. Raises: TemplateNotFound."""
        for candidate in (language.lower(), language.lower().partition("-")[0], FALLBACK_LANGUAGE):
            try:
                return self._environment.get_template(f"{folder}/{candidate}/{name}")
            except TemplateNotFound:
                continue
        raise TemplateNotFound(name)

    def render_blocks(self, folder: str, language: str, name: str, values: Mapping[str, object]) -> dict[str, str]:
        """Every block of a template, rendered."""
        template = self.get(folder, language, name)
        context = template.new_context(dict(values))
        return {block: "".join(render(context)) for block, render in template.blocks.items()}


def _day(when: date | str) -> str:
    """A day written out: Friday 20 March."""
    day = date.fromisoformat(when) if isinstance(when, str) else when
    return f"{day:%A} {day.day} {day:%B}"
