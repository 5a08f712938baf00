"""Ctrl-C that waits for a moment at which the run can be written down."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

__all__ = ["Interrupts"]


class Interrupts:
    """Inside the block the first Ctrl-C waits for :meth:`check`; a second one strikes at once.

    An optimiser step that is cut in two leaves weights of which no checkpoint can be made. Outside
    the main thread, or where the program has a handler of its own, nothing is changed.

    Example:
        >>> with Interrupts() as interrupts:
        ...     interrupts.check()
    """

    def __init__(self) -> None:
        self.waiting = False
        self._installed = False

    def __enter__(self) -> Interrupts:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_signal)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.waiting:
            raise KeyboardInterrupt
        self.waiting = True

    def check(self) -> None:
        """Raise the KeyboardInterrupt that waits, if one does."""
        if self.waiting:
            raise KeyboardInterrupt
