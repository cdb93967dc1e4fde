"""Conditions on attributes: reads ``HeartRate > 120 and status in ('on', 'off')`` and says where it holds.

An attribute is named like a column of a result: ``person.lastname``, ``person."first.name"``, ``phones[0].number``;
names of other characters than letters, digits, ``_`` and ``-`` stand in double quotes, and so do keywords.
Values are numbers, ``'texts'``, ``true``, ``false`` and binary in hex, ``x'0aff'``. There are ``=``, ``<>`` (or
``!=``), ``<``, ``<=``, ``>``, ``>=``, ``[not] in (…)``, ``[not] like 'A%_'`` with ``escape '!'``,
``[not] between … and …``, ``is [not] absent``, ``is [not] null``, ``and``, ``or``, ``not`` and parentheses.

An attribute compares with another one as well, ``new.balance < old.balance``, and there are ``changed(x)``,
``contains(x, v)``, ``starts_with(x, 'p')`` and ``size(x)``, which is a number and compares as one.

Every comparison is true or false, never unknown:

- A value compares with its own type only: a number with N, a text with S, true and false with BOOL, binary with B.
  Numbers compare exactly, texts by code point and binary by byte, as DynamoDB orders them.
- ``is null`` is DynamoDB's NULL value; ``is absent`` means that the attribute is not there, nor is one that would
  lie in something that is no map or beyond the end of a list.
- ``<>``, ``not in``, ``not like``, ``not between`` and ``is not null`` hold where the attribute is there and the
  form without *not* does not hold: another type counts as different. ``not (…)`` is plain negation, and so
  holds for absent attributes too.
- Two attributes are equal when both are there, of one type, and the same: numbers as numbers, sets as sets, maps and
  lists with all they hold. They are ordered as values are. ``<>`` holds where both are there and not equal.
- ``changed(x)`` holds of a change that x is not the same after as before: there in one image only, or not equal.
- ``contains(x, v)`` holds where v is a member of the list or set x, or a text within the text x, and
  ``starts_with(x, 'p')`` where x is a text that begins so.
- ``size(x)`` is how many characters (Unicode code points) a text has, bytes a binary, members a list, a map or a set;
  numbers, true and false and NULL have none, and nothing compares with it then.
- ``new.age`` and ``old.age`` are read from that image, whose attributes are all absent where there is no such image
  (an attribute called new or old is quoted before a dot). Names without either are read from the same image, and
  the condition holds when it does with all of them read from the new image, or all from the old one.

The columns that an answer adds are named as they are: ``_changed_at``, ``_deleted_at`` and ``_by_ttl`` of the latest
state, ``ts``, ``event_name``, ``by_ttl``, ``size_bytes`` and ``event_id`` of changes, ``valid_from``, ``valid_to``,
``version``, ``life``, ``is_current`` and ``ended_by`` of versions; attributes so called are quoted. Times compare with
texts such as ``'2026-11-20T12:00Z'`` or ``'-2d'``.
"""

from __future__ import annotations

from workbench.model.conditions.evaluation import holds as holds
from workbench.model.conditions.evaluation import regex_of as regex_of
from workbench.model.conditions.grammar import parse as parse
from workbench.model.conditions.tree import CHANGES as CHANGES
from workbench.model.conditions.tree import COLUMN as COLUMN
from workbench.model.conditions.tree import LATEST as LATEST
from workbench.model.conditions.tree import VERSIONS as VERSIONS
from workbench.model.conditions.tree import And as And
from workbench.model.conditions.tree import Changed as Changed
from workbench.model.conditions.tree import Compares as Compares
from workbench.model.conditions.tree import Condition as Condition
from workbench.model.conditions.tree import Contains as Contains
from workbench.model.conditions.tree import Equals as Equals
from workbench.model.conditions.tree import Image as Image
from workbench.model.conditions.tree import IsAbsent as IsAbsent
from workbench.model.conditions.tree import IsNull as IsNull
from workbench.model.conditions.tree import Leaf as Leaf
from workbench.model.conditions.tree import Like as Like
from workbench.model.conditions.tree import Name as Name
from workbench.model.conditions.tree import Not as Not
from workbench.model.conditions.tree import Or as Or
from workbench.model.conditions.tree import Relates as Relates
from workbench.model.conditions.tree import Value as Value
from workbench.model.conditions.tree import leaves as leaves
from workbench.model.conditions.tree import names as names
from workbench.model.conditions.tree import names_columns as names_columns
from workbench.model.conditions.tree import names_images as names_images
