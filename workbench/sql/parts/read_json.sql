-- Reads JSON objects of change records for the embedded engine, in DuckDB's own dialect: one row a line.
-- Parameters: :paths, :compression, :format, :ignore_errors; :key_pattern, which matches keys that are canonical
-- as they stand; :first, the number of the first object.
-- Rows: deliveries; keys are null where the line is no change record.
-- An envelope and a raw record have no name in common, so one reader takes both, row by row. Binary comes
-- twice encoded in raw records only: an image that may hold any is marked by a space before it, and decoded
-- only where it is compared or answered.
with lines as (
    select
        event_id is not null as is_envelope,
        coalesce(event_id, eventID) as event_id,
        coalesce(event_name, eventName) as event_name,
        coalesce(table_name, tableName) as table_name,
        try_cast(ts as timestamp) as envelope_ts,
        dynamodb.ApproximateCreationDateTime * case dynamodb.ApproximateCreationDateTimePrecision
            when 'MICROSECOND' then 1
            when 'MILLISECOND' then 1000
            else case
                when abs(dynamodb.ApproximateCreationDateTime) < 1e11 then 1000000
                when abs(dynamodb.ApproximateCreationDateTime) < 1e14 then 1000
                else 1
            end
        end as micros,
        coalesce(keys, dynamodb.Keys) as keys,
        coalesce(new_image, dynamodb.NewImage) as new_image,
        coalesce(old_image, dynamodb.OldImage) as old_image,
        coalesce(size_bytes, dynamodb.SizeBytes) as size_bytes,
        coalesce(by_ttl, contains(userIdentity, '"Service"')
                         and contains(userIdentity, '"dynamodb.amazonaws.com"'), false) as by_ttl,
        case
            when event_id is not null then nullif(regexp_extract(aws_region, '^"([A-Za-z0-9-]{1,64})"$', 1), '')
            else coalesce(
                nullif(regexp_extract(awsRegion, '^"([A-Za-z0-9-]{1,64})"$', 1), ''),
                nullif(regexp_extract(
                    eventSourceARN, '^"arn:[a-z-]*:dynamodb:([A-Za-z0-9-]*):[0-9]*:table/', 1), '')
            )
        end as aws_region,
        case
            when event_id is not null then nullif(regexp_extract(account_id, '^"([0-9]{1,20})"$', 1), '')
            else nullif(regexp_extract(eventSourceARN, '^"arn:[a-z-]*:dynamodb:[A-Za-z0-9-]*:([0-9]*):table/', 1), '')
        end as account_id,
        file_index
    from read_json(
        list_value :paths, format = :format, compression = :compression, ignore_errors = :ignore_errors,
        records = true, auto_detect = false, hive_partitioning = false, maximum_object_size = 4194304,
        columns = {
            event_id: 'VARCHAR', event_name: 'VARCHAR', table_name: 'VARCHAR', ts: 'VARCHAR', keys: 'VARCHAR',
            new_image: 'VARCHAR', old_image: 'VARCHAR', size_bytes: 'BIGINT', by_ttl: 'BOOLEAN',
            aws_region: 'JSON', account_id: 'JSON', awsRegion: 'JSON', eventSourceARN: 'JSON',
            eventID: 'VARCHAR', eventName: 'VARCHAR', tableName: 'VARCHAR', userIdentity: 'JSON',
            dynamodb: 'STRUCT(ApproximateCreationDateTime DOUBLE, ApproximateCreationDateTimePrecision VARCHAR,
                              Keys JSON, NewImage JSON, OldImage JSON, SizeBytes BIGINT)'}
    )
),

changes as (
    select
        * exclude (keys, by_ttl, envelope_ts, micros),
        by_ttl and event_name = 'REMOVE' as by_ttl,
        coalesce(envelope_ts, case
            when micros between -62135596800000000 and 253402300799999999 then make_timestamp(round(micros)::bigint)
        end) as ts,
        case
            when regexp_full_match(keys, :key_pattern) then keys
            else canonical_keys(keys, not is_envelope)
        end as keys
    from lines
)

select
    event_id,
    event_name,
    table_name,
    ts,
    case when event_id <> '' and table_name <> '' and ts is not null
        and event_id[1] not in ('{', '[') and table_name[1] not in ('{', '[') -- JSON that is no text
        and case event_name
        when 'INSERT' then new_image is not null and old_image is null
        when 'MODIFY' then new_image is not null
        when 'REMOVE' then new_image is null
    end then keys end as keys,
    case
        when not is_envelope and (contains(new_image, 'B":') or contains(new_image, 'BS":'))
        then ' ' || new_image else new_image
    end as new_image,
    case
        when not is_envelope and (contains(old_image, 'B":') or contains(old_image, 'BS":'))
        then ' ' || old_image else old_image
    end as old_image,
    size_bytes,
    by_ttl,
    aws_region,
    account_id,
    :first + file_index as object
from changes
