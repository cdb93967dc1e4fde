-- The {number}th number of a date, {text}, such as 2026-11-18, 2026111809 or year=2026/month=11/day=18.
regexp_extract({text}, '^\D*(\d{4})\D*(\d{1,2})(?:\D*(\d{1,2}))?(?:\D*(\d{1,2}))?$', {number})
