"""Read the assignments of a MATPOWER case file.

A case file is a function in MATLAB's language. Most hold only matrices; those of distribution systems go on with a few
statements that turn ohm into per unit and kW into MW. This module evaluates assignments of numbers, matrices, arithmetic and
indexing, and nothing else: a statement it does not know stops the reading with the number of its line, because a conversion
left out makes every result wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np


def _numbered(names: str, numbers: Iterable[int]) -> dict[str, int]:
    return dict(zip(names.split(), numbers, strict=True))


#: What the index functions return, in the order in which they return it (MATPOWER manual, appendix B).
INDEX = {
    "idx_bus": _numbered(
        "PQ PV REF NONE BUS_I BUS_TYPE PD QD GS BS BUS_AREA VM VA BASE_KV ZONE VMAX VMIN LAM_P LAM_Q MU_VMAX MU_VMIN",
        [1, 2, 3, 4, *range(1, 18)],
    ),
    "idx_brch": _numbered(
        "F_BUS T_BUS BR_R BR_X BR_B RATE_A RATE_B RATE_C TAP SHIFT BR_STATUS "
        "PF QF PT QT MU_SF MU_ST ANGMIN ANGMAX MU_ANGMIN MU_ANGMAX",
        [*range(1, 12), *range(14, 20), 12, 13, 20, 21],
    ),
    "idx_gen": _numbered(
        "GEN_BUS PG QG QMAX QMIN VG MBASE GEN_STATUS PMAX PMIN MU_PMAX MU_PMIN MU_QMAX MU_QMIN "
        "PC1 PC2 QC1MIN QC1MAX QC2MIN QC2MAX RAMP_AGC RAMP_10 RAMP_30 RAMP_Q APF",
        [*range(1, 11), 22, 23, 24, 25, *range(11, 22)],
    ),
    "idx_cost": _numbered("PW_LINEAR POLYNOMIAL MODEL STARTUP SHUTDOWN NCOST COST", [1, 2, 1, 2, 3, 4, 5]),
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
}
NUMBERS = {"pi": np.pi, "Inf": np.inf, "inf": np.inf, "NaN": np.nan, "nan": np.nan}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "==": np.equal,
    "~=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "&": np.logical_and,
    "|": np.logical_or,
}
#: Binary operators by how tightly they bind, loosest first.
LEVELS = (("|",), ("&",), ("==", "~=", "<", ">", "<=", ">="), (":",), ("+", "-"), ("*", "/", ".*", "./"))

TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\.\.\.[^\n]*\n)|(?P<comment>[%\#][^\n]*)|(?P<newline>\n)
    |(?P<number>(?:\d+(?:\.(?![*/^'])\d*)?|\.\d+)(?:[eEdD][+-]?\d+)?)|(?P<name>[A-Za-z]\w*)
    |(?P<op>\.\*|\./|\.\^|\.'|==|~=|<=|>=|&&|\|\||[-+*/^()\[\]{},;:=.<>&|])|(?P<quote>['"])""",
    re.VERBOSE,
)
BLOCK_COMMENT = re.compile(r"^[ \t]*%\{[ \t]*\n.*?^[ \t]*%\}[ \t]*$", re.MULTILINE | re.DOTALL)


class NotUnderstood(Exception):  # noqa: N818 - the reader's own signal; open_matpower turns it into a NetworkError
    """A statement of the file is not one that this reader knows."""

    def __init__(self, line: int, what: str) -> None:
        self.line, self.what = line, what
        super().__init__(f"line {line}: {what}")


@dataclass(frozen=True)
class Token:
    """A word of the file: its kind, text and line, and whether white space stands before it."""

    kind: str
    text: str
    line: int
    spaced: bool = False


def evaluate(text: str) -> dict[str, Any]:
    """Evaluate the assignments of a case file.

    Parameters
    ----------
    text
        Content of the file.

    Returns
    -------
    dict[str, Any]
        Value of every name assigned to, in the end: floats, arrays (rows, columns), strings, lists (cells). Fields of the case
        are under their full name: ``mpc.bus``.

    Raises
    ------
    NotUnderstood
        A statement is no such assignment; with its line.
    """
    reader = _Reader(list(_tokens(_without_blocks(text))))
    reader.run()
    return reader.values


def _without_blocks(text: str) -> str:
    """Blank out block comments, keeping the count of lines."""
    return BLOCK_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text.replace("\r\n", "\n") + "\n")


def _tokens(text: str) -> Iterator[Token]:
    """Split a file into words; comments and white space are dropped, new lines are kept."""
    position, line, spaced, last = 0, 1, True, ""
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise NotUnderstood(line, f"unexpected character '{text[position]}'")
        kind, word = str(match.lastgroup), match[0]
        if kind == "quote":
            transpose = word == "'" and not spaced and (last in {")", "]", "}"} or last.isidentifier())
            kind, word = ("op", ".'") if transpose else ("string", _quoted(text, position, line))
        if kind not in {"space", "comment"}:
            yield Token(kind, word, line, spaced)
            last = word
        spaced = kind in {"space", "newline"}
        line += word.count("\n")
        position += len(word) if word != ".'" else len(match[0])


def _quoted(text: str, start: int, line: int) -> str:
    """Return a quoted string with its quotes; a doubled quote stands for itself."""
    match = re.compile(r"""'(?:[^'\n]|'')*'|"(?:[^"\n])*\"""").match(text, start)
    if match is None:
        raise NotUnderstood(line, "a string that does not end")
    return match[0]


class _Reader:
    """Evaluates statements one after the other; holds the place in the file and the values so far."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = [*tokens, Token("end", "", tokens[-1].line if tokens else 1)]
        self.place = 0
        self.values: dict[str, Any] = {}

    @property
    def token(self) -> Token:
        """The word to be read next."""
        return self.tokens[self.place]

    def run(self) -> None:
        """Evaluate until the end of the file or of its function."""
        while self.token.kind != "end":
            if self.token.kind == "newline" or self.token.text in {";", ","}:
                self.place += 1
            elif self.token.text in {"return", "end", "endfunction"}:
                self._finish()
            else:
                self._statement()

    def _finish(self) -> None:
        """Accept the end of the function only where nothing follows."""
        line = self.token.line
        rest = [
            t
            for t in self.tokens[self.place :]
            if t.kind != "newline" and t.text not in {";", "return", "end", "endfunction", ""}
        ]
        if rest:
            raise NotUnderstood(rest[0].line, f"code after the end of the function (line {line})")
        self.place = len(self.tokens) - 1

    def _statement(self) -> None:
        word = self.token.text
        if word == "function":
            while self.token.kind not in {"newline", "end"}:
                self.place += 1
        elif word == "define_constants":
            self.place += 1
            for names in INDEX.values():
                self.values.update({name: float(value) for name, value in names.items()})
        elif word == "[":
            self._unpack()
        else:
            self._assign()
        if self.token.kind not in {"newline", "end"} and self.token.text not in {";", ","}:
            self._fail(f"unexpected '{self.token.text}'")

    def _fail(self, what: str, line: int | None = None) -> NoReturn:
        raise NotUnderstood(self.token.line if line is None else line, what)

    def _take(self, text: str) -> None:
        if self.token.text != text or self.token.kind == "string":
            self._fail(f"'{text}' expected, found '{self.token.text.strip() or 'the end of the line'}'")
        self.place += 1

    def _skip_newlines(self) -> None:
        while self.token.kind == "newline":
            self.place += 1

    def _name(self) -> str:
        """Read a name with its fields: ``mpc.bus``."""
        if self.token.kind != "name":
            self._fail(f"'{self.token.text}' where a name is expected")
        parts = [self.token.text]
        self.place += 1
        while self.token.text == "." and self.tokens[self.place + 1].kind == "name":
            parts.append(self.tokens[self.place + 1].text)
            self.place += 2
        return ".".join(parts)

    def _unpack(self) -> None:
        """``[PQ, PV, ...] = idx_bus``: name the columns of a matrix."""
        self._take("[")
        names = []
        while self.token.text != "]":
            if self.token.text == "," or self.token.kind == "newline":
                self.place += 1
            else:
                names.append(self._name())
        self._take("]")
        self._take("=")
        line, function = self.token.line, self._name()
        if function not in INDEX or len(names) > len(INDEX[function]):
            self._fail(f"only {', '.join(INDEX)} may give several names their values, not '{function}'", line)
        self.values.update(zip(names, map(float, INDEX[function].values()), strict=False))

    def _assign(self) -> None:
        """``name = value`` or ``name(rows, columns) = value``."""
        line, name = self.token.line, self._name()
        where = self._indices(name) if self.token.text == "(" else None
        if self.token.text != "=":
            self._fail(f"'{name}' does not start an assignment; only assignments are read", line)
        self._take("=")
        value = self._expression()
        if where is None:
            self.values[name] = value
            return
        target = np.array(self.values[name], dtype=float, ndmin=2)
        try:
            target[where] = value
        except (ValueError, IndexError, TypeError) as error:
            self._fail(f"cannot assign to a part of '{name}': {error}", line)
        self.values[name] = target

    def _expression(self, level: int = 0) -> Any:
        """Evaluate operators that bind at least as tightly as a level."""
        if level == len(LEVELS):
            return self._signed()
        value = self._expression(level + 1)
        while self.token.kind == "op" and self.token.text in LEVELS[level] and not self._starts_element():
            operator, line = self.token.text, self.token.line
            self.place += 1
            value = self._combine(operator, value, self._expression(level + 1), line)
        return value

    def _starts_element(self) -> bool:
        """In a matrix ``[1 -2]`` is two elements, ``[1 - 2]`` and ``[1-2]`` are one."""
        following = self.tokens[self.place + 1]
        return self.in_matrix and self.token.text in {"+", "-"} and self.token.spaced and not following.spaced

    in_matrix = False

    def _combine(self, operator: str, left: Any, right: Any, line: int) -> Any:
        if isinstance(left, str | list) or isinstance(right, str | list):
            self._fail(f"'{operator}' between texts", line)
        if operator == ":":
            return np.arange(_scalar(left, line), _scalar(right, line) + 1, dtype=float).reshape(1, -1)
        matrices = np.size(left) > 1 and np.size(right) > 1
        divides_by_matrix = operator in {"/", "^"} and np.size(right) > 1
        if (operator in {"*", "/", "^"} and matrices) or divides_by_matrix:
            self._fail(f"the matrix operation '{operator}'; write '.{operator}' for one element by the other", line)
        try:
            with np.errstate(all="ignore"):  # a division by zero shows as a value that is not finite, and is refused as such
                return OPERATORS[operator.removeprefix(".")](left, right)
        except ValueError as error:
            self._fail(f"'{operator}': {error}", line)

    def _signed(self) -> Any:
        if self.token.kind == "op" and self.token.text in {"-", "+"}:
            sign = self.token.text
            self.place += 1
            value = self._signed()
            return np.negative(value) if sign == "-" else value
        return self._power()

    def _power(self) -> Any:
        value = self._postfix()
        while self.token.text in {"^", ".^"}:
            operator, line = self.token.text, self.token.line
            self.place += 1
            value = self._combine(operator, value, self._exponent(), line)
        return value

    def _exponent(self) -> Any:
        """Unlike other operators, ``^`` lets a sign stand directly behind it: ``10^-3``."""
        if self.token.text in {"-", "+"}:
            sign = self.token.text
            self.place += 1
            value = self._exponent()
            return np.negative(value) if sign == "-" else value
        return self._postfix()

    def _postfix(self) -> Any:
        value = self._atom()
        while self.token.text == ".'":
            self.place += 1
            value = np.transpose(np.array(value, ndmin=2))
        return value

    def _atom(self) -> Any:
        token = self.token
        if token.kind == "number":
            self.place += 1
            return float(token.text.lower().replace("d", "e"))
        if token.kind == "string":
            self.place += 1
            return token.text[1:-1].replace("''", "'")
        if token.text == "(":
            return self._bracketed()
        if token.text in {"[", "{"}:
            return self._matrix()
        if token.kind == "name":
            return self._reference()
        return self._fail(f"'{token.text.strip() or 'end of line'}' where a value is expected")

    def _bracketed(self) -> Any:
        outer, self.in_matrix = self.in_matrix, False
        self._take("(")
        value = self._expression()
        self._take(")")
        self.in_matrix = outer
        return value

    def _reference(self) -> Any:
        """Value of a name, a part of it, or a function of one argument."""
        line, name = self.token.line, self._name()
        call = self.token.text == "(" and not (self.in_matrix and self.token.spaced)
        if name in self.values:
            if not call:
                return self.values[name]
            where = self._indices(name)
            try:
                part = np.array(self.values[name], ndmin=2)[where]
            except IndexError as error:
                self._fail(f"'{name}' has no such part: {error}", line)
            return float(part[0, 0]) if part.size == 1 else part
        if name in FUNCTIONS and call:
            return FUNCTIONS[name](self._bracketed())
        if name in NUMBERS:
            return NUMBERS[name]
        return self._fail(f"'{name}' is neither a name with a value nor a function that is read ({', '.join(FUNCTIONS)})", line)

    def _indices(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Read ``(rows, columns)`` as zero-based positions."""
        line = self.token.line
        if not isinstance(self.values.get(name), float | np.ndarray | np.floating):
            self._fail(f"a part of '{name}', which has no numbers so far", line)
        shape = np.array(self.values[name], ndmin=2).shape
        outer, self.in_matrix = self.in_matrix, False
        self._take("(")
        rows = self._positions(shape[0], line)
        self._take(",")
        columns = self._positions(shape[1], line)
        self._take(")")
        self.in_matrix = outer
        return np.ix_(rows, columns)

    def _positions(self, count: int, line: int) -> np.ndarray:
        if self.token.text == ":":
            self.place += 1
            return np.arange(count)
        outer = self.values.get("end")
        self.values["end"] = float(count)
        value = np.ravel(self._expression())
        self.values.pop("end")
        if outer is not None:
            self.values["end"] = outer
        if value.dtype == bool and value.size == count:
            return np.flatnonzero(value)
        if np.any(value != np.round(value)) or np.any(value < 1) or np.any(value > count):
            self._fail(f"an index outside 1 to {count}", line)
        return value.astype(int) - 1

    def _matrix(self) -> Any:
        """Read ``[1 2; 3 4]`` as an array, ``{'a'; 'b'}`` as a list."""
        line, cell = self.token.line, self.token.text == "{"
        outer, self.in_matrix = self.in_matrix, True
        self.place += 1
        rows: list[list[Any]] = [[]]
        closing = "}" if cell else "]"
        while self.token.text != closing or self.token.kind == "string":
            if self.token.kind == "end":
                self._fail("a matrix that does not end", line)
            if self.token.kind == "newline" or self.token.text == ";":
                rows.append([])
                self.place += 1
            elif self.token.text == ",":
                self.place += 1
            else:
                rows[-1].append(self._expression())
        self.place += 1
        self.in_matrix = outer
        rows = [row for row in rows if row]
        return [value for row in rows for value in row] if cell else self._stack(rows, line)

    def _stack(self, rows: list[list[Any]], line: int) -> np.ndarray:
        if any(isinstance(value, str | list) for row in rows for value in row):
            self._fail("text in a matrix of numbers", line)
        if not rows:
            return np.empty((0, 0))
        lengths = {len(row) for row in rows}
        try:
            if all(isinstance(value, float) for row in rows for value in row) and len(lengths) == 1:
                return np.array(rows, dtype=float)
            return np.block([[np.array(value, dtype=float, ndmin=2) for value in row] for row in rows])
        except ValueError:
            return self._fail(f"a matrix whose rows have {min(lengths)} to {max(lengths)} values", line)


def _scalar(value: Any, line: int) -> float:
    if np.size(value) != 1:
        raise NotUnderstood(line, "a range between matrices")
    return float(np.ravel(value)[0])
