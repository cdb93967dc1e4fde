-- The {number}th number of a date, {text}, such as 2026-11-18 or 2026111809.
regexp_extract({text}, '^(\d{4})\D?(\d{1,2})(?:\D?(\d{1,2}))?(?:\D?(\d{1,2}))?$', {number})
