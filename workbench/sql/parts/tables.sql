-- Which tables are in the log {log} of the embedded engine, in DuckDB's own dialect? Changes that do not tell their
-- Region, or account, count as of the only one that others of the table tell.
-- Rows: one a table, Region and account: table_name, aws_region, account_id, objects (the numbers of those that hold it).
with told as (
    select distinct table_name, aws_region, account_id, object
    from {log}
    where keys is not null
),

known as (
    select
        table_name,
        coalesce(aws_region, case
            when min(aws_region) over same_name = max(aws_region) over same_name then max(aws_region) over same_name
        end) as aws_region,
        coalesce(account_id, case
            when min(account_id) over same_name = max(account_id) over same_name then max(account_id) over same_name
        end) as account_id,
        object
    from told
    window same_name as (partition by table_name)
)

select table_name, aws_region, account_id, list_sort(list_distinct(list(object))) as objects
from known
group by all
order by all
