"""Expressions over edge inputs, of every function and operator there is: engines answer them alike."""

from __future__ import annotations

from typing import Any

TEXTS = ["", "a", "Ünï", "😀b", " x ", "a,b,,c", "O'K", "%_\\", "42", "ab\nc", "İßǅ", "\t y", "aaa", "-7"]
INTEGERS = [0, 1, -1, 2, 41, 2**63 - 1, -(2**63), 3, 5, -3, 7, 10, 100, -100]
DECIMALS = ["0", "1.5", "-2.5", "2.5", "-0.001", "123456789.125", "0.5", "-0.5", "3.14159", "99.99", "1", "-1", "10"]
LARGE = ["12345678901234567890123456789012345678", "-12345678901234567890123456789012345678", "0", "1", "-1"]
DOUBLES = ["0", "1E+100", "-2.5", "0.5", "1E-100", "-1E+100", "1.5", "2.5", "123456.789", "12345678901234567890", "0.1"]
TIMES = [
    "2026-03-29 00:59:59.999999",
    "2026-03-29 01:00:00",
    "2026-10-25 00:30:00.000001",
    "2026-10-25 01:30:00",
    "1970-01-01 00:00:00",
    "1969-12-31 23:59:59.999999",
    "2024-02-29 12:00:00",
    "2000-01-31 00:00:00",
    "2026-12-31 23:59:59",
    "2026-11-18 12:34:56.789012",
]
_COLUMNS: dict[str, list[dict[str, Any]]] = {
    "s": [{"S": each} for each in TEXTS],
    "n": [{"N": str(each)} for each in INTEGERS],
    "d": [{"N": each} for each in DECIMALS],
    "big": [{"N": each} for each in LARGE],
    "f": [{"N": each} for each in DOUBLES],
    "t": [{"S": each} for each in TIMES],
    "b": [{"BOOL": each} for each in (True, False, True)],
    "ss": [{"SS": each} for each in (["a", "b"], ["", "ü", "a"], ["😀"])],
    "ns": [{"NS": each} for each in (["1", "2"], ["-1"], ["10", "9"])],
    "l": [{"L": [{"S": "b"}, {"S": "a"}, {"NULL": True}, {"S": "a"}]}, {"L": []}, {"L": [{"S": ""}]}],
    "nl": [{"L": [{"N": "3"}, {"N": "1"}, {"NULL": True}]}, {"L": []}, {"L": [{"N": "-1"}]}],
    "dl": [{"L": [{"N": "3.5"}, {"N": "1"}]}, {"L": []}, {"L": [{"N": "-1"}]}],
    "bl": [{"L": [{"BOOL": True}, {"NULL": True}]}, {"L": []}, {"L": [{"BOOL": False}]}],
    "bin": [{"B": each} for each in ("AQID", "", "/+8=")],
}
ITEMS = [
    {"pk": {"S": f"k{at:02}"}, **{name: cells[at] for name, cells in _COLUMNS.items() if at < len(cells)}}
    for at in range(15)
]
SMALL = "case when n between -100 and 100 then n end"
AT, DAY = "cast(t as timestamp)", "cast(substr(t, 1, 10) as date)"
SCALARS = f"""
abs({SMALL}); abs(d); abs(big); abs(f); ceil(n); ceil(d); ceiling(f); floor(n); floor(d)*d; floor(f); round(n); round(d)
round(d, 1) * 2; round(d, -1) + 1; round(f, 2); round(big, -3); sign(n); sign(d); sign(f)
sqrt(case when d >= 0 then d end); exp({SMALL}); ln(case when d > 0 then d end); power(d, 2); power(2, {SMALL})
lower(s); upper(s); upper(lower(upper(s))); trim(s); ltrim(s); rtrim(s); trim(both 'a' from s); trim(leading 'a' from s)
length(s); substr(s, 1); substr(s, 0); substr(s, -1); substr(s, -10, 12); substr(s, 2, 0); substr(s, 10); substr(s, n)
substr(s, 1, n); substring(s from 2 for 1); replace(s, 'a', 'b'); replace(s, 'a'); reverse(s); lpad(s, 3, 'xy')
rpad(s, 5); split(s, ','); split_part(s, ',', 3); split_part(s, ',', 9); split_part(split_part(s, ',', 1), 'a', 1)
strpos(s, 'a'); strpos(s, ''); position('a' in s); starts_with(s, 'a'); starts_with(s, s); chr(128512)
regexp_like(s, '^a+$'); regexp_like(s, 'a$'); regexp_like(s, 'b\\sc'); regexp_like(s, 'b.c'); regexp_like(s, '\\d')
regexp_extract(s, '[a-z]'); regexp_extract(s, '(\\w+)$', 1); regexp_extract(s, '^(.*)$', 1)
regexp_replace(s, '(a)', '<$1>'); regexp_replace(s, '[,_%]', '-'); regexp_replace(s, 'a+')
concat(s, null); s || 'x'; s like 'a%'; s like '_'; s like '%!%%' escape '!'; s not like 'a%'; s like s
year({AT}); quarter({AT}); month({DAY}); week({AT}); week_of_year({DAY}); day({AT}); day_of_month({AT}); day_of_week({AT})
dow({AT}); day_of_year({AT}); doy({AT}); hour({AT}); minute({AT}); second({AT}); date({AT}); to_unixtime({AT})
date_trunc('week', {AT}); date_trunc('quarter', {AT}); date_trunc('millisecond', {AT}); date_trunc('month', {DAY})
date_add('month', 1, {AT}); date_add('month', {SMALL}, date '2026-01-31'); date_add('second', {SMALL}, {AT})
date_diff('day', timestamp '2026-03-29 02:30:00', {AT}); date_diff('month', timestamp '2026-03-31 02:30:00', {AT})
date_diff('year', timestamp '2024-02-29 02:30:00', {AT}); date_diff('second', timestamp '2026-03-29 02:30:00.0005', {AT})
date_diff('month', date '2026-03-31', {DAY}); date_diff('day', date '2026-03-31', {AT}); -date_diff('day', {AT}, {AT})
date_format({AT}, '%Y-%m-%d %H:%i:%s'); date_format({AT}, '%y %b %M %e %c %k %l %p %r %T %a %W %j %%')
date_format({DAY}, '%Y/%m'); cast({AT} as varchar); cast({DAY} as varchar); cast({DAY} as timestamp)
{AT} at time zone 'Europe/Berlin'; hour({AT} at time zone 'America/New_York'); {AT} at time zone 'Asia/Kolkata'
extract(dow from {AT}); extract(doy from {AT}); extract(hour from {AT}); {AT} + interval '1' month; {DAY} + interval '1' day
{AT} - interval '2' week; {AT} > timestamp '2026-03-29 01:00:00'; {DAY} = timestamp '2026-12-31 00:00:00'
current_date; now(); timestamp '2026-01-01 10:00:00 +02:00'; timestamp '2026-01-01 10:00:00 Europe/Berlin'
from_unixtime({SMALL}); from_unixtime(d); from_unixtime(1760000000.123); from_unixtime(1.5e0)
from_iso8601_timestamp('2026-01-01T10:00:00.123456+02:00'); from_iso8601_timestamp('2026-01-01T10:00Z')
try_cast(s as bigint); try_cast(s as double); try_cast(s as decimal(10,2)); try_cast(s as boolean); try_cast(s as date)
try_cast(s as timestamp); try_cast(t as date); try_cast('0x10' as bigint); try_cast('1e3' as bigint)
try_cast('1_0' as double); try_cast('yes' as boolean); try_cast('infinity' as date); try_cast('2026/01/01' as date)
try_cast('2026-01-01T00:00:00' as timestamp); try_cast('１' as bigint); try_cast('1.45' as decimal(3,1))
cast(n as varchar); cast(d as varchar); cast(big as varchar); cast(b as varchar); cast(n as double); cast(d as bigint)
cast(2.5e0 as bigint); cast(n as decimal(38,0)); cast(d as decimal(10,1)); try_cast(n as decimal(5,2)); decimal '1e3'
case when n < 9e18 then n + 1 end; d + 0.5; d * d; d * d + 0.1; d - 1.25; d / 3; d / 0; n / 2; n / 3.0; n % 3; n % -3; n / 0; n % 0
f * f; f / 3; n * 1.5; d + f; big + 1; big / 3; 0.1 * 0.2; -7 / 2; - d; mod({SMALL}, 3); -9223372036854775808; 1 / 2 * 2.0
n = 1.0; d = 1.5e0; n = d; n < f; n between 0.5 and 2.5; d in (1, 1.5, 2.5e0); n not in (1, null); n is distinct from 1
b is true; b is not true; b is false; (n > 1) is true; b and null; b or null; not b; s < 'b'; s > '😀'; s between 'a' and 'b'
if(n > 1, 'a'); if(b, 1, 2.5); case n when 1 then 'x' when 2 then 'y' end; case when n > 1 then 1 when n < 0 then 2.5 end
coalesce(n, 0.5); coalesce(d, n) * d; nullif(n, 1); nullif(s, 'a'); greatest(n, null); greatest(n, d); least(n, d, f)
cardinality(l); contains(ss, 'a'); contains(l, 'z'); contains(l, null); contains(l, s); contains(ns, 1); contains(nl, 9)
contains(split(s, ','), upper('b')); array_join(l, ','); array_join(l, ',', '?'); array_join(ns, ','); array_sort(l)
array_sort(nl); array_max(nl); array_min(transform(nl, x -> x + 1)); array_max(dl); array_min(bl); l[1]; l[9]; l[{SMALL}]
filter(l, x -> x = 'a'); transform(l, x -> upper(x)); transform(nl, x -> n); any_match(l, x -> x = 'a')
all_match(nl, x -> x > 1); none_match(nl, x -> x > 5); array[n, 1.5]; array[null, 1]; if(b, nl, array[1.5])
ss is distinct from array['a', 'b']; nl is not distinct from array[3, 1, null]; bin = bin; bin; size(s); size(l)
attribute_exists(s); attribute_type(l); (select max(n) from e); n in (select n from e where b); n > all (select n from e where b)
exists (select 1 from e other where other.n > e.n)
"""
AGGREGATES = """
sum(n); sum(d); sum(f); avg(n); avg(d); min(s); max(b); max(cast(t as timestamp)); count(n); count(distinct s); count(*)
count_if(b); bool_and(b); bool_or(b); array_agg(n); array_agg(distinct s); array_agg(d); max_by(s, n); min_by(n, d)
stddev(d); stddev_pop(d); stddev_samp(n); variance(d); var_pop(d); sum(n) filter (where n > 0); sum(distinct d)
sum(d) / count(*); max(d) - min(d); sum(abs(d)) + 1; round(sum(d) / count(*), 2); cast(sum(d) as bigint)
array_join(array_agg(s), ','); coalesce(sum(d), 0) * 2
"""
WINDOWS = """
row_number() over (order by pk); rank() over (order by b); dense_rank() over (order by b); percent_rank() over (order by pk)
cume_dist() over (order by b); ntile(3) over (order by pk); lag(n) over (order by pk); lag(n, 2, 0) over (order by pk)
lead(n, 1, -1) over (order by pk); first_value(s) over (order by pk); last_value(s) over (order by pk)
nth_value(s, 2) over (order by pk); sum(n) over (partition by b); lag(n) ignore nulls over (order by pk)
sum(d) over (order by pk rows between 1 preceding and current row); count(*) over (); max_by(s, n) over (partition by b)
avg(d) over (order by pk rows between unbounded preceding and 1 following); count_if(b) over (order by pk)
sum(n) over (order by n range between 1 preceding and 1 following); row_number() over (order by n desc nulls first)
"""


def listed(text: str) -> list[str]:
    """Return the expressions of a list."""
    return [each.strip() for line in text.strip().splitlines() for each in line.split("; ")]


FEW = "n is null or n between -100 and 100"
QUERIES = [
    *(f"select pk, {each} as x from e order by pk" for each in listed(SCALARS)),
    *(f"select {each} as x from e where {FEW}" for each in listed(AGGREGATES)),
    *(f"select b, {each} as x from e where {FEW} group by b order by b" for each in listed(AGGREGATES)),
    *(f"select {each} as x from e where false" for each in listed(AGGREGATES)),
    *(f"select pk, {each} as x from e where {FEW} order by pk" for each in listed(WINDOWS)),
]
"""The queries over the table ``e``; each is ordered by what tells its rows apart."""
