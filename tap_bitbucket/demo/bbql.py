"""Bitbucket's query language for `q=`: parse once, then test items one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from tap_bitbucket.demo import errors, times

Getter = Callable[[Any], Any]
Test = Callable[[Any], bool]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<date>\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<op>!=|!~|>=|<=|=|~|>|<)
  | (?P<mark>[(),])
  | (?P<word>[A-Za-z_][A-Za-z0-9_.-]*)
)""",
    re.VERBOSE,
)


def attribute(path: str) -> Getter:
    """Read a dotted path of attributes; None on the way gives None, lists give lists."""
    names = path.split(".")

    def read(item: Any) -> Any:
        for name in names:
            if item is None:
                return None
            if isinstance(item, list | tuple):
                item = [getattr(one, name) for one in item]
            else:
                item = getattr(item, name)
        return item

    return read


def table(*names: str, **renamed: str) -> dict[str, Getter]:
    """Describe what a list can be filtered by: API name → how to read it from our objects."""
    found = {name: attribute(name) for name in names}
    found.update({name.replace("__", "."): attribute(path) for name, path in renamed.items()})
    return found


def compile_query(text: str, known: Mapping[str, Getter]) -> Test:
    """Turn a query into a test, or answer 400 as Bitbucket does."""
    return _Parser(text, known).parse()


class _Parser:
    """Recursive descent: OR binds looser than AND."""

    def __init__(self, text: str, known: Mapping[str, Getter]) -> None:
        self.text = text
        self.known = known
        self.tokens = list(self._scan())
        self.at = 0

    def parse(self) -> Test:
        if not self.tokens:
            raise self._bad("empty query")
        test = self._any()
        if self.at != len(self.tokens):
            raise self._bad(f"unexpected {self.tokens[self.at][1]!r}")
        return test

    def _bad(self, why: str) -> errors.ApiError:
        return errors.core(400, f'Invalid query "{self.text}": {why}')

    def _scan(self) -> Iterable[tuple[str, str]]:
        position = 0
        text = self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._bad(f"cannot read {text[position : position + 20]!r}")
            position = match.end()
            kind = match.lastgroup or ""
            yield kind, match.group(kind)

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        if token[0] == "end":
            raise self._bad("ends too early")
        self.at += 1
        return token

    def _word(self, word: str) -> bool:
        kind, text = self._peek()
        if kind == "word" and text.upper() == word:
            self.at += 1
            return True
        return False

    def _any(self) -> Test:
        tests = [self._all()]
        while self._word("OR"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._word("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)

    def _one(self) -> Test:
        if self._peek() == ("mark", "("):
            self._take()
            test = self._any()
            if self._take() != ("mark", ")"):
                raise self._bad("missing )")
            return test
        kind, name = self._take()
        if kind != "word":
            raise self._bad(f"expected a field, got {name!r}")
        if name not in self.known:
            # Bitbucket says so for participants.* of pull requests, among others.
            raise errors.core(400, f'"{name}" does not support filtering')
        read = self.known[name]
        negate = self._word("NOT")
        if self._word("IN"):
            choices = self._list()
            compare = _member(choices)
            return (lambda item: not compare(read(item))) if negate else _on(read, compare)
        if negate:
            raise self._bad("NOT without IN")
        kind, operator = self._take()
        if kind != "op":
            raise self._bad(f"expected an operator after {name}, got {operator!r}")
        return _on(read, _comparison(operator, self._literal()))

    def _list(self) -> list[Any]:
        if self._take() != ("mark", "("):
            raise self._bad("IN needs a list")
        found = [self._literal()]
        while self._peek() == ("mark", ","):
            self._take()
            found.append(self._literal())
        if self._take() != ("mark", ")"):
            raise self._bad("missing )")
        return found

    def _literal(self) -> Any:
        kind, text = self._take()
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "date":
            return times.parse(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        words = {"null": None, "true": True, "false": False}
        if kind == "word" and text.lower() in words:
            return words[text.lower()]
        raise self._bad(f"expected a value, got {text!r}")


def _on(read: Getter, compare: Test) -> Test:
    return lambda item: compare(read(item))


def _each(test: Test) -> Test:
    """Apply to a value, or to any of a list of values (`reviewers.uuid`)."""
    return lambda value: any(map(test, value)) if isinstance(value, list) else test(value)


def _like(value: Any, literal: Any) -> Any:
    """Read the literal as what the field is: quoted date-times work as well as bare ones."""
    if isinstance(value, datetime) and isinstance(literal, str):
        moment = times.parse(literal)
        if moment is None:
            raise errors.core(400, f'Invalid datetime "{literal}"')
        return moment
    return literal


def _member(choices: list[Any]) -> Test:
    return _each(lambda value: any(value == _like(value, choice) for choice in choices))


def _comparison(operator: str, literal: Any) -> Test:
    if operator == "=":
        return _each(lambda value: bool(value == _like(value, literal)))
    if operator == "!=":
        if literal is None:
            return _each(lambda value: value is not None)
        return _each(lambda value: value is not None and value != _like(value, literal))
    if operator in ("~", "!~"):
        needle = str(literal).lower()
        if operator == "~":
            return _each(lambda value: value is not None and needle in str(value).lower())
        return _each(lambda value: value is not None and needle not in str(value).lower())
    return _each(_ordering(operator, literal))


def _ordering(operator: str, literal: Any) -> Test:
    cache: dict[type, Any] = {}

    def test(value: Any) -> bool:
        if value is None or literal is None:
            return False
        kind = type(value)
        if kind not in cache:
            cache[kind] = _like(value, literal)
        other = cache[kind]
        try:
            if operator == ">":
                return bool(value > other)
            if operator == ">=":
                return bool(value >= other)
            if operator == "<":
                return bool(value < other)
            return bool(value <= other)
        except TypeError:
            raise errors.core(400, f'Cannot compare with "{literal}"') from None

    return test
