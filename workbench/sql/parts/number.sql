-- A number's one spelling: no idle zeros. {text} is a number as DynamoDB writes it.
regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    {text}, '^(-?)0+([0-9])', '$1$2'), '(\.[0-9]*?)0+$', '$1'), '\.$', ''), '^-0$', '0')
