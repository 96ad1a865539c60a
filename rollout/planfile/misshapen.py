"""What every form says of a value that it cannot read."""


class Misshapen(ValueError):
    """A value is not in the form that its place asks for.

    Args:
        what: A sentence.
        do: An instruction.
    """

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.do = do
