-- A struct of attributes as DynamoDB JSON. {json} is its JSON text: DynamoDB's types in upper case, absent members null.
-- Where a crawler could not tell an attribute's types, its value is a text of JSON, which becomes that JSON.
array_join(transform(
    regexp_extract_all(
        {json},
        '"[SNB]":"[^"\\]*(?:\\.[^"\\]*)*"|"[^"\\]*(?:\\.[^"\\]*)*":"[^"\\]*(?:\\.[^"\\]*)*"'
        || '|"L":\[(?:"[^"\\]*(?:\\.[^"\\]*)*",?)+\]|"[^"\\]*(?:\\.[^"\\]*)*"|[^"]+'
    ),
    token -> case
        when starts_with(token, '"L":["') then '"L":[' || array_join(transform(
            regexp_extract_all(substr(token, 6), '"[^"\\]*(?:\\.[^"\\]*)*"'), member -> json_extract_scalar(member, '$')
        ), ',') || ']'
        when regexp_like(token, '^"[^"\\]*(?:\\.[^"\\]*)*":"') and not regexp_like(token, '^"[SNB]":') then
            regexp_extract(token, '^"[^"\\]*(?:\\.[^"\\]*)*":')
            || json_extract_scalar(regexp_extract(token, '^"[^"\\]*(?:\\.[^"\\]*)*":(.*)$', 1), '$')
        else token
    end
), '')
