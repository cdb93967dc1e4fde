-- When the oldest record of the object {path} arrived, by its name, as Firehose gives it.
try(date_parse(regexp_extract({path}, '-(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)-[^/]*$', 1), '%Y-%m-%d-%H-%i-%s'))
