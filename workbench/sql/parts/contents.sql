-- What is there under each table's name: Regions, accounts, keys, and when.
-- {key_schema} tells the names and types of a key; {deliveries}. Rows: one a table, Region, account and key schema.
select
    table_name,
    aws_region,
    account_id,
    {key_schema} as key_schema,
    count(*) as changes,
    min(ts) as first_change,
    max(ts) as last_change
from {deliveries} as log
group by table_name, aws_region, account_id, {key_schema}
