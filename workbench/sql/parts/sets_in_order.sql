-- DynamoDB JSON, given as canonical text, {json}, with the members of sets in the order of numbers, and of texts, and not in
-- that of their JSON. Each is sorted behind a text in that order: the bytes of a text; the digits of a number, filled up
-- with zeros and, below zero, turned.
array_join(transform(
    regexp_extract_all({json}, '"[SN]S":\[(?:"[^"\\]*(?:\\.[^"\\]*)*",?)+\]|"[^"\\]*(?:\\.[^"\\]*)*"|[^"]+'),
    token -> case
        when starts_with(token, '"NS":[') then '"NS":[' || array_join(transform(
            array_sort(transform(
                regexp_extract_all(substr(token, 7), '[^",\]]+'),
                number -> case
                    when starts_with(number, '-') then '0' || translate(
                        lpad(split_part(substr(number, 2), '.', 1), 130, '0') || '.'
                        || coalesce(regexp_extract(number, '\.(.*)$', 1), ''), '0123456789', '9876543210'
                    ) || '~'
                    else '1' || lpad(split_part(number, '.', 1), 130, '0') || '.'
                        || coalesce(regexp_extract(number, '\.(.*)$', 1), '')
                end || ' ' || number
            )),
            sorted -> '"' || split_part(sorted, ' ', 2) || '"'
        ), ',') || ']'
        when starts_with(token, '"SS":[') and strpos(token, '\') > 0 then '"SS":[' || array_join(transform(
            array_sort(transform(
                regexp_extract_all(substr(token, 7), '"[^"\\]*(?:\\.[^"\\]*)*"'),
                member -> to_hex(to_utf8(json_extract_scalar(member, '$'))) || ' ' || member
            )),
            sorted -> substr(sorted, strpos(sorted, ' ') + 1)
        ), ',') || ']'
        else token
    end
), '')
