-- When the oldest record of the object {path} arrived, in UTC: by its name, as Firehose gives it, else by its folders.
cast(coalesce(
    try(date_parse(
        regexp_extract({path}, '-(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)-[^/]*$', 1), '%Y-%m-%d-%H-%i-%s'
    )),
    try(date_parse(
        regexp_extract({path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 1)
        || regexp_extract({path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 2)
        || regexp_extract({path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 3)
        || coalesce(nullif(regexp_extract(
            {path}, '^.*[/=](\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/', 4), ''), '00'),
        '%Y%m%d%H'
    ))
) as timestamp(6))
