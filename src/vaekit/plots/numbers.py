"""Numbers and axis ticks as people read them."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

__all__ = ["log_axis", "measured", "number", "power_of_ten"]

LOG_TICKS = ((200, (1.0,)), (20, (1.0, 3.0)), (0, (1.0, 2.0, 5.0)))
"""From which ratio of its ends a logarithmic axis has which ticks in each decade."""
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: float | None, digits: int = 4) -> str:
    """A number with a few significant digits and a true minus sign; ``"none"`` for None.

    Example:
        >>> number(-144.3127), number(0.03781), number(61329), number(None)
        ('−144.3', '0.03781', '61,329', 'none')
        >>> number(1e-8), number(0.5)
        ('1e−8', '0.5')
    """
    if value is None:
        return "none"
    if not math.isfinite(value):
        return str(value).replace("-", "−")
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{value:,.0f}".replace("-", "−")
    if abs(value) >= 10**digits and abs(value) < 1e9:
        return f"{value:,.0f}".replace("-", "−")
    text = f"{value:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    return (mantissa + (f"e{int(exponent)}" if e else "")).replace("-", "−")


def measured(value: float | None, error: float | None) -> str:
    """A number with its standard error, both to the second digit of the error.

    Example:
        >>> measured(-144.3127, 0.2134), measured(0.03781, 0.00012), measured(0.5, None)
        ('−144.31 ± 0.21', '0.03781 ± 0.00012', '0.5')
    """
    if value is None or not error:
        return number(value) + (" ± 0" if error == 0 else "")
    places = 1 - int(f"{error:.1e}".partition("e")[2])
    if not -4 <= places <= 8:
        return f"{number(value)} ± {number(error, 2)}"
    return f"{value:,.{max(places, 0)}f} ± {error:,.{max(places, 0)}f}".replace("-", "−")


def power_of_ten(value: float) -> str:
    """A tick of a logarithmic axis, without markup.

    Example:
        >>> [power_of_ten(v) for v in (1e-5, 0.1, 1, 100, 2e-4)]
        ['10⁻⁵', '0.1', '1', '100', '2·10⁻⁴']
    """
    if 0.01 <= value <= 1000:
        return f"{value:g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10**exponent
    power = f"10{str(exponent).translate(SUPERSCRIPTS)}"
    return power if abs(factor - 1) < 1e-6 else f"{factor:g}·{power}"


def log_axis(ax: Axes, low: float, high: float) -> None:
    """Make the x axis logarithmic from ``low`` to ``high`` with plain labels."""
    ax.set_xscale("log")
    subs = next(s for span, s in LOG_TICKS if high / low >= span)
    ax.xaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
