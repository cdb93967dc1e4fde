-- How are the values of attributes distributed, and how were they at another instant?
--
-- Parameters:
--   :shown bigint = 5               so many of the most frequent values of each attribute have rows of their own
-- Rows: one an attribute, DynamoDB type and frequent value, and one of all other values together; attributes are numbered
--   as they were asked for.
-- Columns:
--   attribute bigint                its number
--   kind varchar                    the DynamoDB type, null where the attribute is absent
--   value varchar                   a frequent one; null of all others, and where values are not looked into
--   items bigint                    items that have one of these
--   items_before bigint             those that had, at the other instant
--   different bigint                different values
--   different_before bigint         different ones then
--   shortest bigint                 characters of the shortest text
--   shortest_before bigint          then
--   longest bigint                  characters of the longest text
--   longest_before bigint           then
--   least varchar                   the least number, where it is among these values; so are the quartiles
--   p25 varchar                     a quarter of the numbers is no greater
--   median varchar                  half of them
--   p75 varchar                     three quarters
--   most varchar                    the greatest
--   least_before varchar            then
--   median_before varchar           then
--   most_before varchar             then
--   parted bigint                   how much shares differ, times twice the items now and then
--   farthest bigint                 how far the shares of numbers up to one differ, times the numbers now and then
with cells as (
    {states}
),

counted as (
    select
        attribute,
        kind,
        shown,
        number,
        count_if(not is_before) as items,
        count_if(is_before) as items_before
    from cells
    group by 1, 2, 3, 4
),

placed as (
    select
        attribute,
        kind,
        shown,
        number,
        items,
        items_before,
        row_number() over (
            partition by attribute order by case when shown is null then 1 else 0 end, items desc, kind, shown
        ) as place,
        row_number() over (
            partition by attribute order by case when shown is null then 1 else 0 end, items_before desc, kind, shown
        ) as place_before,
        cast(sum(items) over (partition by attribute) as bigint) as total,
        cast(sum(items_before) over (partition by attribute) as bigint) as total_before,
        cast(sum(case when number is not null then items else 0 end) over (partition by attribute) as bigint) as numbers,
        cast(
            sum(case when number is not null then items_before else 0 end) over (partition by attribute) as bigint
        ) as numbers_before,
        cast(sum(case when number is not null then items else 0 end) over (
            partition by attribute order by number, shown, kind rows between unbounded preceding and current row
        ) as bigint) as up_to,
        cast(sum(case when number is not null then items_before else 0 end) over (
            partition by attribute order by number, shown, kind rows between unbounded preceding and current row
        ) as bigint) as up_to_before
    from counted
)

select
    attribute,
    kind,
    case when place <= :shown or place_before <= :shown then shown end as value,
    cast(sum(items) as bigint) as items,
    cast(sum(items_before) as bigint) as items_before,
    count_if(shown is not null and items > 0) as different,
    count_if(shown is not null and items_before > 0) as different_before,
    min(case when kind = 'S' and items > 0 then length(shown) end) as shortest,
    min(case when kind = 'S' and items_before > 0 then length(shown) end) as shortest_before,
    max(case when kind = 'S' and items > 0 then length(shown) end) as longest,
    max(case when kind = 'S' and items_before > 0 then length(shown) end) as longest_before,
    max(case when number is not null and items > 0 and up_to = items then shown end) as least,
    max(case when number is not null and 4 * up_to >= numbers and 4 * (up_to - items) < numbers then shown end) as p25,
    max(case when number is not null and 2 * up_to >= numbers and 2 * (up_to - items) < numbers then shown end) as median,
    max(
        case when number is not null and 4 * up_to >= 3 * numbers and 4 * (up_to - items) < 3 * numbers then shown end
    ) as p75,
    max(case when number is not null and items > 0 and up_to = numbers then shown end) as most,
    max(case when number is not null and items_before > 0 and up_to_before = items_before then shown end) as least_before,
    max(case
        when number is not null and 2 * up_to_before >= numbers_before and 2 * (up_to_before - items_before) < numbers_before
            then shown
    end) as median_before,
    max(case when number is not null and items_before > 0 and up_to_before = numbers_before then shown end) as most_before,
    cast(sum(abs(items * total_before - items_before * total)) as bigint) as parted,
    max(case when number is not null then abs(up_to * numbers_before - up_to_before * numbers) end) as farthest
from placed
group by 1, 2, 3
