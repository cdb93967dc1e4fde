"""Queries of a person's own on Athena's path: the embedded engine's answers, what is read, and what is refused."""

from __future__ import annotations

import pytest

from tests.helpers.aws.lake import athena, lake
from tests.helpers.questions import same
from workbench import Workbench
from workbench.errors import ParameterError, ScanRefused

THEN, LATER = "timestamp '2026-11-18 06:00:00'", "timestamp '2026-11-18 18:00:00'"
SELECTS = [
    "select pk, sk, name from things",
    f"select pk, sk, name from things for timestamp as of {THEN}",
    "select name, count(*) as n, max(note) as longest from things group by name having count(*) > 0",
    f"""select pk, sk, a.name as before, b.name as after
        from things for timestamp as of {THEN} a full join things for timestamp as of {LATER} b using (pk, sk)""",
    f"select a.pk, a.sk from things a join things for timestamp as of {THEN} b on a.pk = b.pk and a.sk = b.sk where a.note <> b.note",
    'select event_name, by_ttl, count(*) as n, min(ts) as first from "things$changes" group by event_name, by_ttl',
    f'select ts, event_name, keys.pk, new.note, old.note as before from "things$changes" where ts >= {THEN}',
    'select count(*) as n from "things$changes" where changed(note)',
    'select pk, sk, version, life, valid_from, valid_to, is_current, ended_by, note from "things$versions"',
    'select * from "things$items"',
    'select pk, sk, lag(note) over (partition by pk, sk order by valid_from) as before from "things$versions"',
    "select length(note) as n, row_number() over (order by note, pk, sk) as place from things",
    "with t as (select pk, sk, note from things where note > 'n') select pk, count(*) as n from t group by pk",
    'select pk from things union select pk from "things$items" where deleted',
    "select pk from things except select pk from things where note is null",
    "select pk, sk from things t where exists (select 1 from \"things$changes\" c where c.pk = t.pk and c.event_name = 'REMOVE')",
    "select pk, sk from things where note in (select max(note) from things)",
    "select case when length(note) > 20 then 'long' when note is null then 'none' else 'short' end as size, count(*) as n from things group by 1",
    "select count(*) as n, count(distinct note) as notes from things where false",
    "select count(*) as n from things for timestamp as of timestamp '2001-01-01 00:00:00'",
    "select count(*) as n from \"things$changes\" where ts < timestamp '2001-01-01 00:00:00'",
    "select cast(sk as varchar) || '-' || pk as id, sk * 1.5 as x, sk / 2 as half from things order by id desc limit 5",
]
REFUSED = [
    "select nope from things",
    "select * from read_csv('x')",
    "select 1; select 2",
    "select pk from things where sk = '1'",
]


@pytest.fixture(scope="module", params=["envelope", "envelope, Parquet", "raw"])
def both(request, server, tmp_path_factory):
    """The same log on both engines."""
    server.reset()
    folder = lake(server, tmp_path_factory.mktemp("log"), request.param)
    on_files, on_athena = Workbench(folder), athena(server)
    yield on_files, on_athena
    on_files.close()
    on_athena.close()


@pytest.mark.parametrize("sql", SELECTS)
def test_a_query_has_the_embedded_engines_answer(both, sql):
    on_files, on_athena = both
    same(on_athena.query(sql).df, on_files.query(sql).df)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_refused_is_refused_alike(both, sql):
    told = set()
    for wb in both:
        with pytest.raises(ParameterError) as refused:
            wb.query(sql)
        told.add(str(refused.value))
    assert len(told) == 1


def test_only_groups_travel(both):
    _, on_athena = both
    result = on_athena.query("select pk, count(*) as n from things group by pk")
    assert len(result.df) == result.df["pk"].nunique()
    assert "GROUP BY" in result.sql


def test_a_query_over_several_tables_is_refused_by_their_sum(empty, tmp_path):
    lake(empty, tmp_path)
    wb = athena(empty)
    one = wb.estimate_query("select pk from things").bytes
    two = wb.estimate_query(f"select a.pk from things a, things for timestamp as of {THEN} b where a.pk = b.pk").bytes
    wb.close()
    assert one < two
    limited = athena(empty, max_scan_bytes=str((one + two) // 2))
    with pytest.raises(ScanRefused):
        limited.query(f"select a.pk from things a, things for timestamp as of {THEN} b where a.pk = b.pk")
    started = [each["QueryString"] for each in empty.started]
    assert sum('"$r2"' in each for each in started) == 0
    limited.close()
