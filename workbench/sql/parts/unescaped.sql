-- {text}, which json_format wrote, as the records have it: characters beyond the basic plane themselves, and escapes of
-- control characters in lower case.
case when strpos({text}, '\u') = 0 then {text} else array_join(transform(
    regexp_extract_all({text}, '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+'),
    piece -> case
        when length(piece) = 12 and starts_with(piece, '\u') then chr(
            cast((from_base(substr(piece, 3, 4), 16) - 55296) * 1024 + from_base(substr(piece, 9, 4), 16) - 56320 + 65536
                 as integer))
        when length(piece) = 6 and starts_with(piece, '\u') then lower(piece)
        else piece
    end
), '') end
