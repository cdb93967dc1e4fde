"""A person's own SELECT over the relations of a log, in Athena's dialect: read, checked, and bound to what it names.

- `relations`: the four relations there are for every table, and what of them a query needs
- `source_text`: the text as it was given, its parameters, and the place in it that an error is about
- `functions`: the functions there are, what they take and return
- `binding`: every name bound to a column of a relation, every type checked; what is not understood is refused
- `plan`: the whole, and its text for an engine
- `whole`: relations with all their columns, as other tools see them
"""

from __future__ import annotations

from workbench.sql.query import whole as whole
from workbench.sql.query.plan import Plan as Plan
from workbench.sql.query.plan import plan as plan
from workbench.sql.query.relations import Catalog as Catalog
from workbench.sql.query.relations import Relation as Relation
