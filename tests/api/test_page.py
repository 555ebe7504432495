"""The page as the gateway serves it: strict headers, tags of the content, nothing of a third party, and small."""

import gzip
import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from service.encoding.encoders import Format
from service.page.files import STATIC, load_files, page_file
from service.page.routes import POLICY
from service.pictures.look import Form
from tests.api.conftest import Served

MOST_PACKED_BYTES = 60_000
SOURCES = {name: file.content.decode() for name, file in load_files().items()}
SCRIPTS = {name: text for name, text in SOURCES.items() if name.endswith(".js")}


MEDIA_TYPES = {
    "/": "text/html; charset=utf-8",
    "/page/app.js": "text/javascript; charset=utf-8",
    "/page/views/explore.js": "text/javascript; charset=utf-8",
    "/page/style.css": "text/css; charset=utf-8",
    "/page/icon.svg": "image/svg+xml",
}
ABSENT = ("/page/", "/page/none.js", "/page/index.html", "/page/../app.js", "/page/%2e%2e/routes.py", "/page//app.js")


@pytest.fixture
def browser(serve: Callable[..., Served]) -> Iterator[httpx.Client]:
    """The gateway without a key, and with the compression that browsers take."""
    served, _ = serve()
    with httpx.Client(base_url=served.base_url, headers={"Accept-Encoding": "gzip"}, timeout=20) as client:
        yield client


def test_a_file_needs_no_key_and_says_what_it_is(browser: httpx.Client) -> None:
    for path, media_type in MEDIA_TYPES.items():
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
        assert answer.headers["Content-Encoding"] == "gzip"
        name = path.removeprefix("/page/").strip("/") or "index.html"
        assert answer.text == SOURCES[name] == browser.get(path, headers={"Accept-Encoding": "identity"}).text
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == "Accept-Encoding"


def test_a_browser_that_refuses_gzip_gets_plain_files(browser: httpx.Client) -> None:
    answer = browser.get("/page/app.js", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in answer.headers
    assert answer.text == SOURCES["app.js"]


def test_the_policy_allows_this_gateway_alone() -> None:
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert not re.search(r"https?:|\*", POLICY)


def test_a_file_that_the_browser_has_is_not_sent_again(browser: httpx.Client) -> None:
    tag = browser.get("/page/app.js").headers["ETag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        again = browser.get("/page/app.js", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["Content-Security-Policy"] == POLICY
    assert browser.get("/page/app.js", headers={"If-None-Match": '"other"'}).status_code == 200
    assert browser.get("/page/dom.js").headers["ETag"] != tag


def test_nothing_else_is_served(browser: httpx.Client) -> None:
    for path in ABSENT:
        answer = browser.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


def test_comments_and_indents_are_not_sent_and_lines_keep_their_numbers() -> None:
    text = b"/* A file.\n   Why. */\nconst a = '/* no comment */'; // kept\n  // gone\n  f();\n"
    assert page_file("a.js", text).content == b"\n\nconst a = '/* no comment */'; // kept\n\nf();\n"
    beside_code = b"/* one */ a { b: c } /* two */\nd {}\n"
    assert page_file("a.css", beside_code + b"/* three ** */\n").content == beside_code + b"\n"
    assert page_file("a.html", b"  /* text */\n").content == b"  /* text */\n"
    for name, sent in SOURCES.items():
        written = (STATIC / name).read_text()
        assert sent.count("\n") == written.count("\n"), name
        assert all(line.count("`") % 2 == 0 for line in written.splitlines()), f"{name}: a text over several lines"


def test_the_link_to_the_documentation_follows_its_setting(serve: Callable[..., Served]) -> None:
    shown, hidden = (serve(docs_enabled=enabled)[0].get("/").text for enabled in (True, False))
    assert 'data-docs="docs"' in shown
    assert "data-docs" not in hidden


def test_scripts_and_styles_are_small() -> None:
    packed = {name: len(gzip.compress(text.encode(), 9)) for name, text in SOURCES.items()}
    assert sum(packed.values()) < MOST_PACKED_BYTES, packed


def test_nothing_is_of_a_third_party_and_no_address_is_absolute() -> None:
    for name, text in SOURCES.items():
        addresses = re.findall(r"(?:https?:)?//[\w-]+\.\w[\w./]*", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
        assert set(addresses) <= {"http://www.w3.org/2000/svg", "//www.w3.org/2000/svg"}, name
        assert not re.search(r"""(?:src|href|url)\s*[=(:]\s*["'`]/""", text), f"{name}: breaks behind a path prefix"


def test_scripts_make_no_markup_of_texts_and_keep_no_key() -> None:
    """Names and log lines of others become text nodes; the key is in the memory of the tab alone."""
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|srcdoc"
    for name, text in SCRIPTS.items():
        assert not re.search(markup, text), name
        assert not re.search(r"localStorage|indexedDB|document\.cookie|console\.", text), name
        assert ("sessionStorage" in text) <= (name == "api.js"), name


def test_every_module_that_another_imports_is_there() -> None:
    for name, text in SCRIPTS.items():
        for target in re.findall(r"""from\s*["'](\.[^"']+)["']""", text):
            assert (STATIC / name).parent.joinpath(target).is_file(), f"{name} imports {target}"


def test_every_format_can_be_downloaded() -> None:
    named = set(re.findall(r'\["(\w+)", "[A-Z][^"]+"', SOURCES["explore/download.js"]))
    assert {form.value for form in (*Format, *Form)} == named
