"""URLs of databases, without what is secret in them."""

import pytest
from tests.unit.tasks.tuning.test_search import search

from vaekit.errors import ConfigError
from vaekit.tasks.tuning.url import without_password


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@host/db",
        "postgresql://me:se:c@secret/x@host/db",
        "postgresql://me@host/db?password=secret",
        "postgresql://me@host/db?sslmode=require&sslpassword=secret&connect_timeout=5",
        "postgresql://host/db?user=me&PASSWD=secret",
        "postgresql://me:secret@host:port/db?token=secret",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3Dodbc%3BUID%3Dme%3BPWD%3Dsecret",
        "--storage=postgresql://me@host/db?password=secret",
    ],
)
def test_a_password_is_hidden(url):
    shown = without_password(url)
    assert "secret" not in shown
    assert "***" in shown
    assert shown.startswith(url[: url.index("://")])


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///runs/a b.db",
        "sqlite:////tmp/me@home/study.db",
        "postgresql+psycopg://me@host:5432/db?sslmode=require&application_name=a",
        "http://localhost:8080/x?b=1&a=2",
        "training.batch_size=32..128:step=32",
        "digits",
    ],
)
def test_other_text_stays_as_it_is(text):
    assert without_password(text) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nosuch://me:secret@host/db", "nosuch://me:***@host/db"),
        ("nosuch://me@host/db?password=secret", "nosuch://me@host/db?password=***"),
        ("postgresql://me:secret@host:port/db", "postgresql://me:***@host:port/db"),
    ],
)
def test_an_error_shows_no_password(tmp_path, url, shown):
    with pytest.raises(ConfigError, match="database of the study cannot be used") as caught:
        search(tmp_path, trials=1, storage=url)
    assert "secret" not in str(caught.value.to_dict())
    assert shown in str(caught.value)
    assert not (tmp_path / "search").exists()


def test_a_folder_that_was_there_stays(tmp_path):
    (tmp_path / "search").mkdir()
    with pytest.raises(ConfigError, match="cannot be used"):
        search(tmp_path, trials=1, storage="nosuch://host/db")
    assert not list((tmp_path / "search").iterdir())
