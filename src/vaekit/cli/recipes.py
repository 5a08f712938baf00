"""``vaekit recipes``: the named variants."""

from __future__ import annotations

from vaekit.cli.console import Json, emit, handled

__all__ = ["recipes"]


def recipes(as_json: Json = False) -> None:
    """List the named variants with one line and their paper."""
    with handled(as_json=as_json):
        from vaekit.recipes import recipes as known

        cards = known()
        width = max(map(len, cards))
        lines = [
            f"{n:<{width}}  {card.summary}\n{'':<{width}}  {card.paper}"
            for n, card in cards.items()
        ]
        value = {n: {"summary": card.summary, "paper": card.paper} for n, card in cards.items()}
        emit(value, "\n".join(lines), as_json=as_json)
