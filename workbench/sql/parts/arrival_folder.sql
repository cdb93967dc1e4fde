-- When the oldest record of the object {path} arrived, by its folders.
try(date_parse(
    regexp_extract({path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 1)
    || regexp_extract({path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 2)
    || regexp_extract({path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 3)
    || coalesce(nullif(regexp_extract(
        {path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 4), ''), '00'),
    '%Y%m%d%H'
))
