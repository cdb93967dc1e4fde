-- DynamoDB JSON as canonical text: sorted sets, numbers without idle zeros, and binary encoded once where {binary}
-- undoes the second encoding. {json} has been sorted by json_parse; what is no JSON comes out as some text.
-- json_format writes a character beyond the Basic Multilingual Plane as \uD83D\uDE00, which becomes itself again, and
-- \u001F where all others write \u001f.
-- The text is cut into tokens: a set, a number, a binary value, any other text, and what is between texts.
array_join(transform(
    regexp_extract_all(
        element_at(transform(array[{json}], written -> case
            when strpos(written, '\u') = 0 then written
            else array_join(transform(
                regexp_extract_all(written, '\\uD[89AB][0-9A-F]{2}\\uD[C-F][0-9A-F]{2}|\\u[0-9A-F]{4}|\\[^u]|[^\\]+'),
                piece -> case
                    when not starts_with(piece, '\u') then piece
                    when length(piece) = 6 then lower(piece)
                    else json_extract_scalar('"' || piece || '"', '$')
                end
            ), '')
        end), 1),
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
