"""A Griffe extension, named in mkdocs.yml, that turns the library's docstrings into pages.

It escapes Markdown markup in formulas, recognizes examples by their prompt, links public names, and adds an `__init__`
signature to each `equinox.Module`, made from its fields (the source has none).
"""

import re
from typing import Any

import griffe

CODE = re.compile(r"(`+.+?`+)", re.DOTALL)
MARKUP = re.compile(r"([_*\[\]])")


class Docstrings(griffe.Extension):
    """Converter of docstrings to Markdown, and of module fields to signatures."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Convert all docstrings once the package is loaded and every base class is known."""
        for part in _parts(pkg):
            if part.is_attribute and part.docstring is None:
                part.docstring = _class_docstring(part)
        for part in [part for part in _parts(pkg) if part.is_class and _is_module(part)]:
            _give_signature(part)
        public = {name for name, part in pkg.members.items() if part.is_alias}
        for part in _parts(pkg):
            if part.docstring is not None:
                part.docstring.value = markdown(part.docstring.value, public - {part.name})


def markdown(text: str, public: set[str]) -> str:
    """Convert a docstring to Markdown: fence examples, link public names, escape all else outside of backquotes."""
    example = lambda block: block.lstrip().startswith(">>>")
    return "\n\n".join(_example(x) if example(x) else _prose(x, public) for x in text.split("\n\n"))


def _example(block: str) -> str:
    lines = block.splitlines()
    depth = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(["```pycon", *(line[depth:] for line in lines), "```"])


def _prose(block: str, public: set[str]) -> str:
    escape = lambda text: MARKUP.sub(r"\\\1", text).replace("<", "&lt;")
    link = lambda code: f"[{code}][logpi.{code[1:-1]}]" if code[1:-1] in public else code
    return "".join(link(part) if part.startswith("`") else escape(part) for part in CODE.split(block))


def _parts(part: griffe.Object) -> Any:
    for member in list(part.members.values()):
        if not member.is_alias:
            yield member
            if member.is_module or member.is_class:
                yield from _parts(member)


def _class_docstring(attribute: griffe.Attribute) -> griffe.Docstring | None:
    """Return the docstring of the class for a value like `score = Score()`, the one instance that users need."""
    called = re.match(r"(\w+)\(\)$", str(attribute.value))
    shape = attribute.parent.members.get(called[1]) if called else None
    return griffe.Docstring(shape.docstring.value, parent=attribute) if shape and shape.docstring else None


def _give_signature(part: griffe.Class) -> None:
    if "__init__" in part.members:
        return
    place = {"lineno": part.lineno, "endlineno": part.endlineno, "parent": part}
    part.set_member("__init__", griffe.Function("__init__", parameters=griffe.Parameters(*_fields(part)), **place))


def _is_module(part: griffe.Class) -> bool:
    return any(str(base) in ("eqx.Module", "NamedTuple") for cls in [part, *part.mro()] for base in cls.bases)


def _fields(part: griffe.Class) -> list[griffe.Parameter]:
    fields = {}
    for cls in [*reversed(part.mro()), part]:
        for name, member in cls.members.items():
            if member.is_attribute and member.annotation is not None and "property" not in member.labels:
                fields[name] = member
    kind = griffe.ParameterKind.positional_or_keyword
    return [griffe.Parameter(n, annotation=m.annotation, kind=kind, default=_default(m)) for n, m in fields.items()]


def _default(field: griffe.Attribute) -> Any:
    """Return the default of a field, also if it is written `eqx.field(default=…)`."""
    if not str(field.value).startswith("eqx.field("):
        return field.value
    return next((x.value for x in field.value.arguments if getattr(x, "name", "") == "default"), None)
