"""How the library's docstrings become pages: plain prose and formulas, lists of fields, examples that run.

A Griffe extension, named in mkdocs.yml. In a docstring a formula may hold what Markdown takes for markup, and
an example is told from prose by its prompt; and what an `equinox.Module` is called with are its fields, which have
no `__init__` in the source.
"""

import re
from typing import Any

import griffe

CODE = re.compile(r"(`+.+?`+)", re.DOTALL)
MARKUP = re.compile(r"([_*\[\]])")


class Docstrings(griffe.Extension):
    """Docstrings as Markdown, and signatures of modules made of fields."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Once everything is read, and every base class is known."""
        for part in _parts(pkg):
            if part.is_attribute and part.docstring is None:
                part.docstring = _of_its_class(part)
        for part in [part for part in _parts(pkg) if part.is_class and _is_module(part)]:
            _give_signature(part)
        public = {name for name, part in pkg.members.items() if part.is_alias}
        for part in _parts(pkg):
            if part.docstring is not None:
                part.docstring.value = markdown(part.docstring.value, public - {part.name})


def markdown(text: str, public: set[str]) -> str:
    """A docstring as Markdown: examples fenced, public names linked, all else outside of backquotes as it stands."""
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


def _of_its_class(attribute: griffe.Attribute) -> griffe.Docstring | None:
    """What the class says of a value like `score = Score()`, which is its only instance that anyone needs."""
    called = re.match(r"(\w+)\(\)$", str(attribute.value))
    shape = attribute.parent.members.get(called[1]) if called else None
    return griffe.Docstring(shape.docstring.value, parent=attribute) if shape and shape.docstring else None


def _give_signature(part: griffe.Class) -> None:
    if "__init__" in part.members:
        return
    place = {"lineno": part.lineno, "endlineno": part.endlineno, "parent": part}
    part.set_member("__init__", griffe.Function("__init__", parameters=griffe.Parameters(*_fields(part)), **place))


def _is_module(part: griffe.Class) -> bool:
    return any(str(base) in ("eqx.Module", "NamedTuple") for one in [part, *part.mro()] for base in one.bases)


def _fields(part: griffe.Class) -> list[griffe.Parameter]:
    fields = {}
    for one in [*reversed(part.mro()), part]:
        for name, member in one.members.items():
            if member.is_attribute and member.annotation is not None and "property" not in member.labels:
                fields[name] = member
    kind = griffe.ParameterKind.positional_or_keyword
    return [griffe.Parameter(n, annotation=m.annotation, kind=kind, default=_default(m)) for n, m in fields.items()]


def _default(field: griffe.Attribute) -> Any:
    """The value that a field has if none is given, also where it is written `eqx.field(default=…)`."""
    if not str(field.value).startswith("eqx.field("):
        return field.value
    return next((x.value for x in field.value.arguments if getattr(x, "name", "") == "default"), None)
