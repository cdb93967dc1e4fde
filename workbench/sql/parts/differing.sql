-- How the attributes of two images differ, at known paths with a type each, in DuckDB's own dialect: one row a pair, in
-- their order.
-- {pairs}: a relation; {old}, {new}: its columns of DynamoDB JSON texts, not null. {pointers}: where the leaves are;
-- {cells}: the JSON text of each in either; {compared}: whether it differs; {decided}: that, where numbers
-- that differ as texts do as numbers; {told}: what is told of it; {proven}: whether that is all there is to tell.
with extracted as (
    select
        {old} as old,
        {new} as new,
        try(json_extract({old}, {pointers})) as old_found,  -- malformed JSON is found to hold nothing
        try(json_extract({new}, {pointers})) as new_found
    from {pairs}
),

cells as (
    select old, new, old_found, new_found, {cells}
    from extracted
),

compared as (
    select
        *,
        {compared},
        {proven} as proven
    from cells
),

decided as (
    select {decided}
    from compared
)

select {told}, proven
from decided
