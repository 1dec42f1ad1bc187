"""A pipeline as a tree of constructor calls, so that it can be built, printed, and made smaller."""

from dataclasses import dataclass, field, replace


class Raw(str):
    """Python that is printed as it stands."""


@dataclass
class Call:
    """`name(**params)`; a parameter is a literal, a call, or a list of tuples that hold calls."""

    name: str
    params: dict = field(default_factory=dict)
    required: tuple = ()

    def code(self) -> str:
        """The Python that makes it."""
        return f"{self.name}({', '.join(f'{key}={literal(value)}' for key, value in self.params.items())})"

    def calls(self):
        """This call and those within it."""
        yield self
        for value in self.params.values():
            yield from _calls(value)

    def smaller(self):
        """Every tree that lacks one thing of this one: a parameter, a step, a step's wrapping."""
        if self.name == "Pipeline" and len(self.params["steps"]) == 1:
            yield self.params["steps"][0][1]
        for key, value in self.params.items():
            if key not in self.required:
                yield replace(self, params={k: v for k, v in self.params.items() if k != key})
            for other in _smaller(value):
                yield replace(self, params=self.params | {key: other})


def literal(value) -> str:
    """Python that makes a value."""
    if isinstance(value, Call):
        return value.code()
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(literal, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and value != value:
        return "np.nan"
    return repr(value)


def _calls(value):
    if isinstance(value, Call):
        yield from value.calls()
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _calls(inner)


def _smaller(value):
    """Smaller values of a parameter that holds calls."""
    if isinstance(value, Call):
        yield from value.smaller()
    elif isinstance(value, list):
        named = bool(value) and all(isinstance(item, tuple) for item in value)
        if named and len(value) > 1:
            for at in range(len(value)):
                yield value[:at] + value[at + 1 :]
        for at, item in enumerate(value):
            for other in _smaller(item):
                yield value[:at] + [other] + value[at + 1 :]
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            for other in _smaller(item):
                yield value[:at] + (other,) + value[at + 1 :]
