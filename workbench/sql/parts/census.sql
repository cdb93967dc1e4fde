-- What is in a table of the catalog: its changes like contents.sql, and the lines that are none, by the path of their
-- object. {key_schema} tells the names and types of a key; {deliveries}, with `readable`, and the path as `arrival`.
select path, table_name, aws_region, account_id, key_schema, count(*) as changes,
    cast(min(ts) as varchar) as first_change, cast(max(ts) as varchar) as last_change
from (
    select
        case when not readable then arrival end as path,
        case when readable then table_name end as table_name,
        case when readable then aws_region end as aws_region,
        case when readable then account_id end as account_id,
        case when readable then {key_schema} end as key_schema,
        case when readable then ts end as ts
    from {deliveries} as log
) as lines
group by path, table_name, aws_region, account_id, key_schema
