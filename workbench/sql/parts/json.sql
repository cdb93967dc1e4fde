-- An object of attributes as JSON without nulls, in the order of its names. {text} is what is read. It is ! where that is
-- no JSON, and null where there is none or it has no attributes: `"name":null`, of an attribute or a type, goes.
nullif(nullif(case when {text} is not null then coalesce(regexp_replace(
    json_format(try(json_parse({text}))),
    '(,"[^"\\]*(?:\\.[^"\\]*)*":null|"[^"\\]*(?:\\.[^"\\]*)*":null,?)|("[^"\\]*(?:\\.[^"\\]*)*"|[^",]+|,)',
    '$2'
), '!') end, '{}'), 'null')
