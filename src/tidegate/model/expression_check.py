"""What an expression reads, whether its types fit, and how much work it is at most; found without evaluating it.

Every value has a type, known beforehand: an expression in which nothing is found here never fails because of a type
or a name. What is left are evidence that is missing, and arithmetic (a division by 0, a text that is no number).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.model.expression import Flaw, limits_kept
from tidegate.model.expression_calls import Calls
from tidegate.model.expression_cost import Cost
from tidegate.model.expression_functions import (
    FUNCTIONS,
    LOOPS,
    MAKING_LOOPS,
    TIME_FUNCTIONS,
    calculated,
    has_order,
)
from tidegate.model.expression_paths import ITEM, Path, Reads
from tidegate.model.expression_tree import (
    Call,
    Choice,
    Index,
    Listing,
    Name,
    NotOffered,
    Number,
    Operation,
    Select,
    Signed,
    Text,
    Tree,
    Word,
    tree_of,
)
from tidegate.model.expression_types import (
    Choices,
    ListOf,
    MapOf,
    Record,
    Scalar,
    Type,
    Vocabulary,
    common,
    comparable,
    described,
    is_text,
)

DEEPEST_LOOPS = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in an expression. `type` is that of its answer, None where that cannot be told.

    `patterns` are the texts that `matches` is given, `times` the calls that make moments and durations of texts, and
    `zones` the names of time zones, all as they are written, with their places.
    """

    flaws: tuple[Flaw, ...]
    type: Type | None = None
    reads: Reads = Reads()
    patterns: tuple[Text, ...] = ()
    times: tuple[tuple[str, Text], ...] = ()
    zones: tuple[Text, ...] = ()
    microseconds: float = 0.0

    @property
    def names(self) -> frozenset[str]:
        """The names that it begins with."""
        return self.reads.roots


def read(expression: str, vocabulary: Vocabulary) -> Reading:
    """Read an expression that a compiler took. `microseconds` is an upper bound for the sizes of the vocabulary."""
    if flaws := tuple(limits_kept(expression)):
        return Reading(flaws)
    try:
        tree = tree_of(expression)
    except NotOffered as refused:
        return Reading((refused.flaw,))
    checker = _Checker(vocabulary, Cost(expression, vocabulary.longest))
    answer = checker.type_of(tree)
    return Reading(
        flaws=tuple(dict.fromkeys(checker.flaws)),
        type=answer,
        reads=checker.reads,
        patterns=tuple(checker.calls.patterns),
        times=tuple(checker.calls.times),
        zones=tuple(checker.calls.zones),
        microseconds=checker.cost.total(vocabulary, checker.reads),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """The type of a part, and its place in the evidence where it is one."""

    type: Type | None
    path: Path | None = None


_NOTHING = _Found(None)


class _Checker:
    """Goes over the tree once. A part whose type is None was complained of already."""

    def __init__(self, vocabulary: Vocabulary, cost: Cost) -> None:
        self._vocabulary = vocabulary
        self._bound: list[tuple[str, _Found]] = []
        self.calls = Calls(cost, self.type_of, self._flaw)
        self.cost = cost
        self.flaws: list[Flaw] = []
        self.reads = Reads()

    def type_of(self, tree: Tree) -> Type | None:
        """The type of a part that is used as it is."""
        found = self._found(tree)
        if found.path is not None:
            self.reads = self.reads.plus(found.path)
        return found.type

    def _found(self, tree: Tree) -> _Found:
        self.cost.part()
        match tree:
            case Name():
                return self._name(tree)
            case Select() | Index():
                found = self._select(tree) if isinstance(tree, Select) else self._index(tree)
                self.cost.taken(found.path, found.type)
                return found
            case Text():
                return _Found(Scalar.TEXT)
            case Number():
                return _Found(Scalar.WHOLE if tree.is_whole else Scalar.NUMBER)
            case Word():
                return _Found(Scalar.NOTHING if tree.word == "null" else Scalar.TRUTH)
            case Listing():
                return _Found(self._listing(tree))
            case Signed():
                return _Found(self._signed(tree))
            case Choice():
                return _Found(self._choice(tree))
            case Operation():
                return _Found(self._operation(tree))
            case Call():
                return _Found(self._call(tree))

    def _flaw(self, at: int, message: str, hint: str | None = None, word: str | None = None, *known: str) -> None:
        self.flaws.append(Flaw(message, hint, word, known, at))

    def _needs_truth(self, tree: Tree) -> None:
        found = self.type_of(tree)
        if found not in (None, Scalar.TRUTH):
            assert found is not None
            self._flaw(tree.at, f"{described(found)} is neither true nor false", "compare it with something")

    def _name(self, tree: Name) -> _Found:
        for name, bound in reversed(self._bound):
            if name == tree.name:
                self.cost.mention(bound.type)
                return bound
        field = self._vocabulary.names.get(tree.name)
        if field is None:
            known = (*self._vocabulary.names, *dict.fromkeys(name for name, _ in self._bound))
            self._flaw(tree.at, f'there is no "{tree.name}" here', None, tree.name, *known)
            return _NOTHING
        self.cost.mention(field.type)
        return _Found(field.type, (tree.name,))

    def _select(self, tree: Select) -> _Found:
        of = self._found(tree.of)
        match of.type:
            case None:
                return _NOTHING
            case Record(called, fields):
                if tree.name in fields:
                    return _Found(fields[tree.name].type, _below(of.path, tree.name))
                self._flaw(tree.at, f'{called} has no "{tree.name}"', None, tree.name, *fields)
            case MapOf():
                self._needs_known(of.type, tree.at, tree.name)
                return _Found(of.type.value, _below(of.path, tree.name))
            case _:
                self._flaw(tree.at, f'{described(of.type)} has no "{tree.name}"')
        return _NOTHING

    def _needs_known(self, of: MapOf, at: int, name: str) -> None:
        if of.known is not None and name not in of.known:
            self._flaw(at, f'{of.lacks} "{name}"', None if of.known else of.hint, name, *of.known)

    def _index(self, tree: Index) -> _Found:
        of, key = self._found(tree.of), self.type_of(tree.key)
        match of.type:
            case ListOf():
                if key not in (None, Scalar.WHOLE):
                    self._flaw(tree.key.at, "a place in a list is a whole number")
                return _Found(of.type.item, _below(of.path, ITEM))
            case MapOf():
                if key is not None and not is_text(key):
                    self._flaw(tree.key.at, "a name is a text")
                written = tree.key.value if isinstance(tree.key, Text) else None
                if written is not None:
                    self._needs_known(of.type, tree.key.at, written)
                return _Found(of.type.value, _below(of.path, ITEM if written is None else written))
            case None:
                return _NOTHING
            case _:
                self._flaw(tree.at, f"[…] cannot be asked of {described(of.type)}")
                return _NOTHING

    def _listing(self, tree: Listing) -> Type | None:
        item: Type | None = None
        for one in tree.items:
            found = self.type_of(one)
            if found is None:
                return None
            both = found if item is None else common(item, found)
            if both is None:
                self._flaw(one.at, f"a list holds values of one type, and {described(found)} is another")
                return None
            item = both
        return ListOf(item, len(tree.items))

    def _signed(self, tree: Signed) -> Type | None:
        if "!" in tree.signs:
            if "-" in tree.signs:
                self._flaw(tree.at, '"-" cannot be asked of true or false')
            self._needs_truth(tree.of)
            return Scalar.TRUTH
        found = self.type_of(tree.of)
        if found in (None, Scalar.WHOLE, Scalar.NUMBER):
            return found
        self._flaw(tree.at, f'"-" cannot be asked of {described(found)}' if found else "")
        return None

    def _choice(self, tree: Choice) -> Type | None:
        self._needs_truth(tree.asked)
        yes, no = self.type_of(tree.yes), self.type_of(tree.no)
        if yes is None or no is None:
            return None
        both = common(yes, no)
        if both is None:
            self._flaw(tree.at, f"this is either {described(yes)} or {described(no)}", "let both be of one type")
        return both

    def _operation(self, tree: Operation) -> Type | None:
        if tree.sign in ("&&", "||"):
            self._needs_truth(tree.left)
            self._needs_truth(tree.right)
            return Scalar.TRUTH
        if tree.sign == "in":
            self._membership(tree)
            return Scalar.TRUTH
        left, right = self.type_of(tree.left), self.type_of(tree.right)
        is_sum = tree.sign in "+-*/%"
        if left is None or right is None:
            return None if is_sum else Scalar.TRUTH
        self.cost.values(left, right)
        if is_sum:
            return self._calculation(tree, left, right)
        if tree.sign in ("==", "!="):
            self._comparison(tree, left, right)
        elif not has_order(left, right):
            self._flaw(tree.at, f"{described(left)} is neither less nor more than {described(right)}")
        return Scalar.TRUTH

    def _calculation(self, tree: Operation, left: Type, right: Type) -> Type | None:
        result = calculated(tree.sign, left, right)
        if result is None:
            mixed = {left, right} == {Scalar.WHOLE, Scalar.NUMBER}
            hint = "write double(…) around the whole number" if mixed else None
            self._flaw(tree.at, f'"{tree.sign}" cannot be asked of {described(left)} and {described(right)}', hint)
        return result

    def _comparison(self, tree: Operation, left: Type, right: Type) -> None:
        if Scalar.NOTHING in (left, right):
            self._flaw(tree.at, "no evidence is ever null", "ask has(…), which is false where it is missing")
        elif not comparable(left, right):
            self._flaw(tree.at, f"{described(left)} never equals {described(right)}", _quotes(tree, left, right))
        else:
            self._needs_word(left, tree.right)
            self._needs_word(right, tree.left)

    def _needs_word(self, one: Type, other: Tree) -> None:
        """A text that is compared with one of a few words must be one of these."""
        if not isinstance(one, Choices):
            return
        for text in other.items if isinstance(other, Listing) else (other,):
            if isinstance(text, Text) and text.value is not None and text.value not in one.words:
                self._flaw(text.at, f'it is never "{text.value}"', None, text.value, *one.words)

    def _membership(self, tree: Operation) -> None:
        left, of = self.type_of(tree.left), self._found(tree.right)
        if isinstance(of.type, MapOf):
            if left is not None and not is_text(left):
                self._flaw(tree.left.at, "a name is a text")
            name = tree.left.value if isinstance(tree.left, Text) else None
            if of.path is not None:
                self.reads = self.reads.plus((*of.path, name or ITEM), asked=name is not None)
            return
        if of.path is not None:
            self.reads = self.reads.plus(of.path)
        if not isinstance(of.type, ListOf):
            if of.type is not None:
                self._flaw(tree.at, f'"in" asks a list, and {described(of.type)} is none')
        elif left is not None and of.type.item is not None:
            self.cost.values(of.type)
            if not comparable(left, of.type.item):
                self._flaw(
                    tree.at, f"{described(left)} is never among values of which each is {described(of.type.item)}"
                )
            self._needs_word(left, tree.right)
            self._needs_word(of.type.item, tree.left)

    # calls

    def _call(self, tree: Call) -> Type | None:
        if tree.of is not None and tree.function in (*LOOPS, *MAKING_LOOPS):
            return self._loop(tree, tree.of)
        known = FUNCTIONS if not self._vocabulary.has_time else (*FUNCTIONS, *TIME_FUNCTIONS)
        if tree.function in known:
            return self._has(tree) if tree.function == "has" else self.calls.type_of(tree)
        message = f'there is no function "{tree.function}"'
        self._flaw(tree.at, message, None, tree.function, *known, *LOOPS)
        for one in (*((tree.of,) if tree.of else ()), *tree.arguments):
            self.type_of(one)
        return None

    def _has(self, tree: Call) -> Type | None:
        asked = tree.arguments[0] if len(tree.arguments) == 1 and tree.of is None else None
        if not isinstance(asked, Select):
            self._flaw(
                tree.at, '"has" asks for a field', "write has(release.tests)" if self._vocabulary.has_time else None
            )
            return Scalar.TRUTH
        found = self._found(asked)
        if found.path is not None:
            self.reads = self.reads.plus(found.path, asked=True)
        return Scalar.TRUTH

    def _loop(self, tree: Call, over: Tree) -> Type | None:
        if tree.function in MAKING_LOOPS:
            hint = 'ask with "exists", "all" or "exists_one"'
            self._flaw(tree.at, f'"{tree.function}" cannot be used: it makes something new', hint)
            return None
        of = self._found(over)
        if len(tree.arguments) != 2 or not isinstance(tree.arguments[0], Name):
            self._flaw(tree.at, f'"{tree.function}" takes a name and a question', f"write {tree.function}(x, x == …)")
            return Scalar.TRUTH
        if len(self._bound) == DEEPEST_LOOPS:
            self._flaw(tree.at, f"loops are nested more than {DEEPEST_LOOPS} deep")
        item, size = self._item(of, tree)
        self._bound.append((tree.arguments[0].name, item))
        with self.cost.times(size, item.path, item.type):
            self._needs_truth(tree.arguments[1])
        self._bound.pop()
        if of.path is not None:
            self.reads = self.reads.looped(of.path)
        return Scalar.TRUTH

    def _item(self, of: _Found, tree: Call) -> tuple[_Found, int]:
        match of.type:
            case ListOf():
                return _Found(of.type.item, _below(of.path, ITEM)), of.type.at_most
            case MapOf():
                return _Found(Scalar.TEXT), of.type.at_most
            case None:
                return _NOTHING, 1
            case _:
                self._flaw(tree.at, f"a loop goes over a list, and {described(of.type)} is none")
                return _NOTHING, 1


def _below(path: Path | None, name: str) -> Path | None:
    return None if path is None else (*path, name)


def _quotes(tree: Operation, left: Type, right: Type) -> str | None:
    """What to do about a number or a truth in quotes."""
    for text, other in ((tree.left, right), (tree.right, left)):
        if isinstance(text, Text) and text.value is not None and not is_text(other):
            plain = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?|true|false", text.value)
            return f"write {text.value} without quotes" if plain else None
    return None
