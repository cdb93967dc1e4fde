-- Binary encoded in base64 once, as {text} is, or twice, as Kinesis records have it: then the inner encoding.
coalesce(try(case
    when regexp_like(from_utf8(from_base64({text})), '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$')
    then from_utf8(from_base64({text}))
end), {text})
