-- DynamoDB JSON as canonical text: sorted names (by json_parse), sorted sets, numbers without idle zeros, and binary
-- encoded once where {binary} undoes the second encoding. {text} is what is read; null where it is no JSON.
-- The text is cut into tokens: a set, a number, a binary value, any other text, and what is between texts.
array_join(transform(
    regexp_extract_all(
        json_format(try(json_parse({text}))),
        '"[SNB]S":\[(?:"[^"\\]*(?:\\.[^"\\]*)*",?)*\]|"[NB]":"[^"\\]*"|"[^"\\]*(?:\\.[^"\\]*)*"|[^"]+'
    ),
    token -> case
        when starts_with(token, '"N":"') then '"N":"' || {number} || '"'
        when starts_with(token, '"B":"') then '"B":"' || {binary} || '"'
        when regexp_like(token, '^"[SNB]S":\[') then substr(token, 1, 5) || '[' || array_join(array_sort(array_distinct(
            transform(
                regexp_extract_all(substr(token, 7), '"[^"\\]*(?:\\.[^"\\]*)*"[,\]]'),
                member -> case substr(token, 2, 2)
                    when 'NS' then '"' || {member_number} || '"'
                    when 'BS' then '"' || {member_binary} || '"'
                    else substr(member, 1, length(member) - 1)
                end
            )
        )), ',') || ']'
        else token
    end
), '')
