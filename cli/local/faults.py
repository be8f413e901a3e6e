"""What can be missing on this machine, always said together with what to do about it."""


class LocalFault(Exception):  # noqa: N818  a fault of the machine, not of a program
    """Something on this machine stands in the way; `remedy` is the sentence that helps."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
