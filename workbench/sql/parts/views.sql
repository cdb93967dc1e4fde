-- Which images do the changes of one segment have, by event? As stream_views.sql, for what is noted of a segment.
select
    event_name,
    new_image is not null as has_new,
    old_image is not null as has_old,
    min(ts) as first_change,
    max(ts) as last_change
from {deliveries} as log
where {within}
group by event_name, new_image is not null, old_image is not null
