"""Mirrors as people write them: what is wrong is refused with a sentence that says what to do."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.config.validation_errors import wrong_members
from service.domain.addresses import AddressPolicy
from service.domain.conflicts import OnConflict
from service.domain.durations import parse_duration
from service.domain.endpoint import EMBEDDED, Endpoint, endpoint_at
from service.domain.mirror import BucketPair
from service.domain.schedule import Schedule
from service.domain.selection import Fn, Windows
from service.errors import ConfigurationError, InvalidParameter
from service.jobs.endpoint_rules import EndpointRules
from service.jobs.mirror.definitions import MirrorText, parse_size
from service.jobs.mirror.overlaps import refuse_overlaps
from service.jobs.mirror.registry import MirrorRegistry, mirrors_section
from tests.support.mirrors import A, B, side

OWN = Endpoint(None, "", "", EMBEDDED, is_remote=False)
OWN_INFLUX = Endpoint(None, "test", "t", "influx.test:8086", is_remote=True)
MIRROR = {"source": side(A), "target": side(B), "buckets": ["W"]}
DAY = parse_duration("1d", "test")


def refused(section: Any, own: Endpoint = OWN) -> str:
    with pytest.raises((ValidationError, InvalidParameter)) as caught:
        mirrors_section(own).model.model_validate(section)
    if isinstance(caught.value, InvalidParameter):
        return f"{caught.value.parameter}: {caught.value.message}"
    return "; ".join(f"{place}: {reason}" for place, reason in wrong_members(caught.value))


def test_the_defaults_are_those_of_the_manual() -> None:
    mirror = MirrorText.model_validate({"source": side(A)}).to_mirror("m", OWN)
    assert (mirror.target, mirror.buckets, mirror.measurements, mirror.windows) == (OWN, None, (), None)
    assert (mirror.since_ns, mirror.history, mirror.budget_bytes) == (None, (), None)
    assert (mirror.future_ns, mirror.rescan_ns) == (parse_duration("130h", "x"), 7 * DAY)
    assert (mirror.full_count_ns, mirror.full_rescan_ns) == (DAY, 30 * DAY)
    assert (mirror.follow_deletes, mirror.on_conflict, mirror.log_in_target) == (False, OnConflict.FAIL, False)
    assert MirrorText.model_validate({"source": side(A)}).to_schedule("m") == Schedule(
        "mirror m", "mirror", {"mirror": "m"}, cron="0 * * * *", at_start=True
    )


def test_every_member_arrives() -> None:
    text = {
        **MIRROR, "buckets": ["W", {"source": "X", "target": "Y"}, {"source": "Z"}], "measurements": ["cpu*"],
        "mode": "downsample",
        "every": "1h", "fn": "max", "since": "4w", "history": {"cpu*": "7d"}, "future": "1h", "rescan": "2d",
        "full_count": "3d",
        "full_rescan": "5w", "budget": "300MB", "follow_deletes": True, "on_conflict": "skip", "log_in_target": True,
    }  # fmt: skip
    mirror = MirrorText.model_validate(text).to_mirror("m", OWN)
    assert mirror.buckets == (BucketPair("W", "W"), BucketPair("X", "Y"), BucketPair("Z", "Z"))
    assert (mirror.measurements, mirror.windows) == (("cpu*",), Windows(DAY // 24, Fn.MAX))
    assert (mirror.since_ns, mirror.history) == (28 * DAY, (("cpu*", 7 * DAY),))
    assert (mirror.future_ns, mirror.rescan_ns, mirror.full_count_ns, mirror.full_rescan_ns) == (
        DAY // 24,
        2 * DAY,
        3 * DAY,
        35 * DAY,
    )
    assert (mirror.budget_bytes, mirror.follow_deletes, mirror.on_conflict, mirror.log_in_target) == (
        300_000_000,
        True,
        OnConflict.SKIP,
        True,
    )


WRONG: list[tuple[str, Mapping[str, Any], str]] = [
    ("an unknown member", {"bukets": ["W"]}, "m.bukets: there is no such member"),
    ("a source that is no store", {"source": "influx"}, "m.source: Input should be 'store' or 'embedded'"),
    ("a source that is a list", {"source": ["store"]}, "m.source: write an InfluxDB with url, org and token, or store"),
    ("a bucket that is a number", {"buckets": [7]}, "m.buckets.0: write a bucket's name, or source and target"),
    ("a pair with other members", {"buckets": [{"from": "W"}]},
     "m.buckets.0.from: there is no such member; m.buckets.0.source: it is missing"),
    ("an address without a scheme", {"source": side("a.test:8086")},
     "m.source.url: this is no address: write it like http://127.0.0.1:8086"),
    ("a port that is none", {"source": side("http://a.test:99999")}, "m.source.url: its port is none"),
    ("a user in the address", {"source": side("http://u:p@a.test")},
     "m.source.url: an address here holds no user or password"),
    ("a metadata service", {"source": side("http://169.254.169.254/")},
     "'m': 'http://169.254.169.254' cannot be the source"),
    ("one in other words", {"target": side("http://[::ffff:169.254.169.254]")},
     "is a cloud's metadata service, and such addresses are never"),
    ("an empty token", {"source": side(A, token="")}, "token: String should have at least 1 character"),
    ("no token", {"source": {"url": A, "org": "o"}},
     "give either token, or token_env (the name of an environment variable)"),
    ("two tokens", {"source": {**side(A), "token_env": "X"}}, "give either token, or token_env"),
    ("a variable that is not set", {"source": {"url": A, "org": "o", "token_env": "FLUXGATE_TOKEN_NONE"}},
     "m.source.token_env: The mirror 'm': The"),
    ("no organisation", {"source": {"url": A, "org": "", "token": "t"}},
     "org: String should have at least 1 character"),
    ("no bucket", {"buckets": []}, "names no bucket. Name some, or write all"),
    ("an empty pair", {"buckets": [{"source": ""}]}, "source: String should have at least 1 character"),
    ("a word for all buckets", {"buckets": "every"}, "m.buckets: write a list of buckets, or all"),
    ("an unknown mode", {"mode": "exact"}, "mode: Input should be 'raw' or 'downsample'"),
    ("an unknown function", {"mode": "downsample", "fn": "average"}, "fn: Input should be 'mean', 'min'"),
    ("a length without a unit", {"mode": "downsample", "every": "10"},
     "every='10' is not a duration. Write a whole number and one unit"),
    ("an empty length", {"since": "0d"}, "since='0d' is empty"),
    ("a history that is no length", {"history": {"cpu*": "long"}}, "history.cpu*='long' is not a duration"),
    ("a future that is no length", {"future": "x"}, "future='x' is not a duration"),
    ("a rescan that is no length", {"rescan": "x"}, "rescan='x' is not a duration"),
    ("a full count that is no length", {"full_count": "x"}, "full_count='x' is not a duration"),
    ("a full rescan that is no length", {"full_rescan": "x"}, "full_rescan='x' is not a duration"),
    ("a budget without a unit", {"budget": "300"},
     "budget='300' is no size. Write a whole number and kB, MB or GB: 300MB"),
    ("a policy that is none", {"on_conflict": "ignore"}, "on_conflict: Input should be 'fail', 'skip' or 'as_string'"),
    ("a schedule that is none", {"schedule": "hourly"}, "m.schedule: The mirror 'm': schedule='hourly' is no cron"),
    ("a minute that is none", {"schedule": "61 * * * *"}, "minute hour day-of-month month day-of-week"),
    ("a zone that is none", {"zone": "Mars/Olympus"}, "Mars/Olympus"),
    ("a refresh that is none", {"refresh": "10m"}, "HH:MM:SS"),
    ("one store twice", {"target": side("http://a.test:8086/")}, "would copy the bucket 'W' onto itself"),
    ("one store twice, with all buckets", {"target": side(A), "buckets": "all"},
     "are the same store. Name buckets that go to others"),
    ("a ring", {"target": side(A), "buckets": [{"source": "W", "target": "V"}, {"source": "V", "target": "U"}]},
     "has 'V' as a source"),
    ("two sources for a bucket", {"buckets": ["W", {"source": "V", "target": "W"}]},
     "has two sources for the bucket 'W'"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "sentence"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_what_is_wrong_is_refused_with_what_to_do(members: Mapping[str, Any], sentence: str) -> None:
    assert sentence in refused({"m": {**MIRROR, **members}})


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../x", "ä", "x" * 61])
def test_a_name_that_a_file_could_not_have_is_refused(name: str) -> None:
    assert "Use 1 to 60 letters, digits, dots, dashes and underscores" in refused({name: MIRROR})


def test_no_refusal_shows_a_token() -> None:
    assert "very-secret" not in refused({"m": {**MIRROR, "source": side(A, token="very-secret"), "budget": "much"}})


PUBLIC_ONLY = EndpointRules(AddressPolicy.PUBLIC_ONLY)


class TestAddresses:
    @pytest.mark.parametrize(
        "url", ["http://localhost:8086", "http://127.0.0.1:8086/", "http://[::1]:8086", "http://LOCALHOST:8086"]
    )
    def test_this_machine_is_one_address_and_not_remote(self, url: str) -> None:
        found = endpoint_at(url, "o", "t")
        assert (found.address, found.is_remote) == ("localhost:8086", False)

    @pytest.mark.parametrize(
        ("url", "address"),
        [("https://X.test/", "x.test:443"), ("http://x.test", "x.test:80"), ("http://x.test/db/", "x.test:80/db")],
    )
    def test_a_port_that_is_not_written_is_that_of_the_scheme(self, url: str, address: str) -> None:
        assert (endpoint_at(url, "o", "t").address, endpoint_at(url, "o", "t").is_remote) == (address, True)

    def test_one_address_with_two_organisations_is_two_stores(self) -> None:
        MirrorText.model_validate({**MIRROR, "target": side(A, org="other")}).to_mirror("m", OWN)

    def test_a_token_may_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(os.environ, "FLUXGATE_TOKEN_TEST", "from-there")
        source = {"url": A, "org": "o", "token_env": "FLUXGATE_TOKEN_TEST"}
        assert MirrorText.model_validate({**MIRROR, "source": source}).to_mirror("m", OWN).source.token == "from-there"

    def test_embedded_is_refused_where_the_own_store_is_an_influxdb(self) -> None:
        assert "There is no embedded store here: INFLUXDB_URL is set" in refused(
            {"m": {**MIRROR, "target": "embedded"}}, OWN_INFLUX
        )
        assert MirrorText.model_validate({**MIRROR, "target": "embedded"}).to_mirror("m", OWN).target == OWN
        assert MirrorText.model_validate({**MIRROR, "target": "store"}).to_mirror("m", OWN_INFLUX).target == OWN_INFLUX


class TestOverlaps:
    @pytest.mark.parametrize(
        "other",
        [
            MIRROR,
            {**MIRROR, "source": side("http://c.test:8086")},
            {**MIRROR, "target": side("HTTP://B.TEST:8086/".lower()), "buckets": ["V", "W"]},
        ],
    )
    def test_two_mirrors_may_not_write_one_bucket(self, other: Mapping[str, Any]) -> None:
        assert "The mirrors 'm' and 'n' both write the bucket 'W' of b.test:8086" in refused({"m": MIRROR, "n": other})

    def test_two_mirrors_may_not_write_all_buckets_of_one_store(self) -> None:
        every = {**MIRROR, "buckets": "all"}
        assert "both write all buckets of b.test:8086. Name their buckets" in refused(
            {"m": every, "n": {**every, "source": side("http://c.test")}}
        )

    @pytest.mark.parametrize(
        "other",
        [{**MIRROR, "buckets": ["V"]}, {**MIRROR, "target": side("http://c.test")}, {**MIRROR, "buckets": "all"}],
    )
    def test_other_buckets_and_other_stores_are_nobodys_business(self, other: Mapping[str, Any]) -> None:
        mirrors_section(OWN).model.model_validate({"m": MIRROR, "n": other})

    def test_what_is_stored_is_held_against_the_file_and_the_settings_too(self) -> None:
        """It was taken, and then both mirrors were refused at every order."""
        other = {"n": MirrorText.model_validate(MIRROR)}
        section = mirrors_section(OWN, lambda: other).model
        with pytest.raises(InvalidParameter, match="The mirrors 'm' and 'n' both write the bucket 'W'"):
            section.model_validate({"m": MIRROR})
        section.model_validate({"n": MIRROR})
        section.model_validate({"m": {**MIRROR, "buckets": ["V"]}})

    def test_a_mirror_does_not_overlap_with_itself(self) -> None:
        refuse_overlaps([MirrorText.model_validate({**MIRROR, "buckets": ["W", "V"]}).to_mirror("m", OWN)])


class TestSchedules:
    def test_a_refresh_takes_the_place_of_the_cron_expression(self) -> None:
        timed = MirrorText.model_validate({**MIRROR, "refresh": "00:10:00"}).to_schedule("m")
        assert timed == Schedule("mirror m", "mirror", {"mirror": "m"}, every="00:10:00", at_start=True)

    def test_without_both_a_mirror_runs_by_hand_only(self) -> None:
        assert MirrorText.model_validate({**MIRROR, "schedule": None}).to_schedule("m") is None

    def test_a_mirror_that_is_off_keeps_its_schedule(self) -> None:
        timed = MirrorText.model_validate(
            {**MIRROR, "enabled": False, "zone": "Europe/Berlin", "at_start": False}
        ).to_schedule("m")
        assert timed == Schedule(
            "mirror m", "mirror", {"mirror": "m"}, cron="0 * * * *", zone="Europe/Berlin", enabled=False
        )


@pytest.mark.parametrize(("text", "bytes"), [("1kB", 1_000), ("300MB", 300_000_000), ("2GB", 2_000_000_000)])
def test_sizes_are_read(text: str, bytes: int) -> None:
    assert parse_size(text, "budget") == bytes


def test_a_function_that_gives_several_points_of_a_window_is_refused() -> None:
    text = MirrorText.model_validate({**MIRROR, "mode": "downsample", "fn": "m4"})
    with pytest.raises(InvalidParameter, match=r"fn=m4 gives several points of a window, for charts\. Allowed: mean"):
        text.to_mirror("m", OWN)


@pytest.mark.parametrize("text", ["", "0MB", "-1MB", "1.5MB", "1 MB", "1mb", "1MiB", "MB", "٣MB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="is no size"):
        parse_size(text, "budget")


class TestTheBook:
    def registry(
        self, folder: Path, section: Mapping[str, Any] = {}, default: Mapping[str, Any] | None = None
    ) -> MirrorRegistry:
        text = None if default is None else MirrorText.model_validate(default)
        return MirrorRegistry(lambda: section, OWN, text, folder / "mirrors.yaml")

    def test_without_any_there_are_none(self, tmp_path: Path) -> None:
        assert self.registry(tmp_path).names() == []

    def test_an_address_that_an_earlier_version_stored_is_refused_where_it_is_used(self, tmp_path: Path) -> None:
        old = {"source": {"url": "http://host.:8086", "org": "o", "token": "t"}, "buckets": ["O"]}
        registry = self.registry(tmp_path, {"old": old, "plant": MIRROR})
        assert registry.get("plant").name == "plant"
        with pytest.raises(InvalidParameter, match="its host is no name"):
            registry.get("old")

    def test_a_policy_of_public_addresses_holds_for_every_mirror(self, tmp_path: Path) -> None:
        section = {"plant": {"source": side("http://10.0.0.7:8086")}, "cloud": {"source": side("https://8.8.8.8")}}
        registry = MirrorRegistry(lambda: section, OWN, None, tmp_path / "mirrors.yaml", PUBLIC_ONLY)
        assert registry.get("cloud").source.url == "https://8.8.8.8"
        with pytest.raises(
            InvalidParameter, match=r"10\.0\.0\.7 is private, and only public addresses are allowed here"
        ):
            registry.get("plant")
        with pytest.raises(InvalidParameter, match="only public addresses are allowed here"):
            mirrors_section(OWN, dict, PUBLIC_ONLY).model.model_validate({"plant": section["plant"]})

    def test_the_section_wins_over_the_file_and_the_file_over_the_settings(self, tmp_path: Path) -> None:
        (tmp_path / "mirrors.yaml").write_text(
            f"cloud:\n  source: {{url: '{A}', org: file, token: t}}\n  buckets: [F]\n"
            f"plant:\n  source: {{url: '{A}', org: file, token: t}}\n  buckets: [G]\n"
        )
        section = {"plant": {**MIRROR, "buckets": ["S"]}}
        registry = self.registry(tmp_path, section, {**MIRROR, "buckets": ["D"]})
        found = {name: registry.get(name).buckets for name in registry.names()}
        assert found == {"cloud": (BucketPair("F", "F"),), "plant": (BucketPair("S", "S"),)}

    def test_the_settings_alone_make_the_mirror_cloud(self, tmp_path: Path) -> None:
        assert self.registry(tmp_path, default=MIRROR).names() == ["cloud"]

    def test_a_file_that_changes_is_read_again(self, tmp_path: Path) -> None:
        registry, file = self.registry(tmp_path), tmp_path / "mirrors.yaml"
        file.write_text(f"one: {{source: {{url: '{A}', org: o, token: t}}, buckets: [W]}}")
        assert list(registry.texts()) == ["one"]
        file.write_text(f"two: {{source: {{url: '{A}', org: o, token: t}}, buckets: [W]}}")
        os.utime(file, (1, 1))
        assert list(registry.texts()) == ["two"]
        file.unlink()
        assert list(registry.texts()) == []

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("- a\n- b", "holds no mirrors. Write a name and below it source, target and buckets"),
            ("m: {source: [", "is no YAML (line 1, column 14)"),
            ("m:", "m: "),
            ("m: {source: nowhere}", "source"),
            ("m: {source: {url: 'http://a.test', org: o}}", "give either token, or token_env"),
        ],
    )
    def test_a_file_that_is_wrong_is_refused_with_its_place(self, tmp_path: Path, text: str, sentence: str) -> None:
        (tmp_path / "mirrors.yaml").write_text(text)
        with pytest.raises(ConfigurationError) as caught:
            self.registry(tmp_path).texts()
        assert sentence in caught.value.message
        assert str(tmp_path / "mirrors.yaml") in caught.value.message

    def test_an_empty_file_holds_no_mirrors(self, tmp_path: Path) -> None:
        (tmp_path / "mirrors.yaml").write_text("# none yet\n")
        assert self.registry(tmp_path).texts() == {}

    def test_a_file_that_is_not_text_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mirrors.yaml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigurationError, match="cannot be read"):
            self.registry(tmp_path).texts()

    def test_overlaps_between_section_and_file_are_found(self, tmp_path: Path) -> None:
        (tmp_path / "mirrors.yaml").write_text(
            f"n: {{source: {{url: 'http://c.test', org: o, token: t}}, "
            f"target: {{url: '{B}', org: test, token: t}}, buckets: [W]}}"
        )
        with pytest.raises(InvalidParameter, match="The mirrors 'm' and 'n' both write the bucket 'W'"):
            self.registry(tmp_path, {"m": MIRROR}).get("m")

    def test_a_mirror_that_does_not_exist_is_answered_with_those_that_do(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidParameter, match=r"There is no mirror 'x'\. There are: m\."):
            self.registry(tmp_path, {"m": MIRROR}).get("x")
        with pytest.raises(InvalidParameter, match="none; PUT /config/mirrors makes one"):
            self.registry(tmp_path).get("x")
        assert self.registry(tmp_path, {"m": MIRROR}).get("m").name == "m"

    def test_schedules_are_those_of_the_mirrors_that_have_one(self, tmp_path: Path) -> None:
        section = {"m": MIRROR, "n": {**MIRROR, "schedule": None, "buckets": ["V"]}}
        assert list(self.registry(tmp_path, section).schedules()) == ["mirror m"]


def test_a_mirror_is_a_value() -> None:
    mirror = MirrorText.model_validate(MIRROR).to_mirror("m", OWN)
    assert replace(mirror) == mirror
