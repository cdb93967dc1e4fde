-- A struct of attributes as DynamoDB JSON. {json} is its JSON text: DynamoDB's types in upper case, all other names in
-- lower case, absent members null. Where a crawler could not tell an attribute's types, its value is a text of JSON.
-- First `"name":null` goes; then an attribute without a type is a NULL. Null where there is no attribute at all.
array_join(transform(
    regexp_extract_all(
        nullif(regexp_replace(
            {json},
            '(,"[^"\\]*(?:\\.[^"\\]*)*":null|"[^"\\]*(?:\\.[^"\\]*)*":null,?)|("[^"\\]*(?:\\.[^"\\]*)*"|[^",]+|,)',
            '$2'
        ), '{}'),
        '"M":\{\}|"[SNB]":"[^"\\]*(?:\\.[^"\\]*)*"|"[^"\\]*(?:\\.[^"\\]*)*":"[^"\\]*(?:\\.[^"\\]*)*"'
        || '|"L":\[(?:"[^"\\]*(?:\\.[^"\\]*)*",?)+\]|"[^"\\]*(?:\\.[^"\\]*)*"|\{\}|null|[^"{n]+|[{n]'
    ),
    token -> case
        when token in ('{}', 'null') then '{"NULL":true}'
        when starts_with(token, '"L":["') then '"L":[' || array_join(transform(
            regexp_extract_all(substr(token, 6), '"[^"\\]*(?:\\.[^"\\]*)*"'), member -> json_extract_scalar(member, '$')
        ), ',') || ']'
        when regexp_like(token, '^"[^"\\]*(?:\\.[^"\\]*)*":"') and not regexp_like(token, '^"[SNB]":') then
            regexp_extract(token, '^"[^"\\]*(?:\\.[^"\\]*)*":')
            || json_extract_scalar(regexp_extract(token, '^"[^"\\]*(?:\\.[^"\\]*)*":(.*)$', 1), '$')
        else token
    end
), '')
