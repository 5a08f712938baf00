"""URLs of databases: read with care, and shown without what is secret."""

from __future__ import annotations

import re

from vaekit.errors import ConfigError

__all__ = ["read_url", "without_password"]

URL = re.compile(r"[\w+]+://\S*")
USER = re.compile(r"(://[^:/@\s]*):[^\s]*@")
QUERY = re.compile(r"([?&][^=&\s]+=)([^&\s]*)")
SECRET = re.compile(r"pass|pwd|secret|token|credential|api_?key|access_?key", re.IGNORECASE)
HIDDEN = "***"
EXAMPLES = "a URL such as sqlite:///study.db or postgresql://user@host/database"


def read_url(text: str) -> str:
    """The URL of a database as it was given, if it is one.

    Raises:
        ConfigError: If it is none; what it says shows no password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        make_url(text)
    except (SQLAlchemyError, ValueError) as error:
        raise ConfigError(
            "the database of the study cannot be used (this is no URL of a database)",
            expected=EXAMPLES,
            where=without_password(text),
        ) from error
    return text


def without_password(text: str) -> str:
    """Text in which the URL of a database, if there is one, can be written down.

    Hidden are the password of its user, and the values of its query that name one or hold one.

    Example:
        >>> without_password("mysql://me:secret@host/db"), without_password("sqlite:///a.db")
        ('mysql://me:***@host/db', 'sqlite:///a.db')
        >>> without_password("--storage=postgresql://me@host/db?port=5&password=secret")
        '--storage=postgresql://me@host/db?password=***&port=5'
    """
    return URL.sub(lambda found: _shown(found[0]), text)


def _shown(text: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        return _covered(text)
    if url.password is not None and "@" in f"{url.host}{url.database}":
        return _covered(text)  # perhaps of a password that should have been quoted
    query = {
        key: HIDDEN if SECRET.search(f"{key} {value}") else value
        for key, value in url.query.items()
    }
    if url.password is None and query == dict(url.query):
        return text
    return url.set(query=query).render_as_string(hide_password=True).replace("%2A", "*")


def _covered(text: str) -> str:
    """The same for text that is no proper URL: rather too much is hidden than too little."""
    text = USER.sub(rf"\1:{HIDDEN}@", text)
    return QUERY.sub(lambda m: m[1] + (HIDDEN if SECRET.search(m[0]) else m[2]), text)
