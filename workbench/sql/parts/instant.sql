-- A record's time, {stamp}, as a timestamp in UTC: in the unit {precision} names, else the number of digits tells.
try(cast(from_unixtime_nanos(1000 * cast(round({stamp} * case {precision}
    when 'MICROSECOND' then 1
    when 'MILLISECOND' then 1000
    else case when abs({stamp}) < 1e11 then 1000000 when abs({stamp}) < 1e14 then 1000 else 1 end
end) as bigint)) at time zone 'UTC' as timestamp(6)))
