-- Reads JSON objects of change records for the embedded engine, in DuckDB's own dialect: one row a line.
-- Parameters: :paths, :compression, :format, :ignore_errors, :longest (bytes of a line); :numbers, those of the objects;
-- :time_pattern, which an envelope's time in UTC matches.
-- Rows: records, see checked.sql; all their columns are null where the line is no JSON.
-- A row's layout is decided once, as workbench.model.records.layout_of_record does, and its columns are then read in that
-- layout alone. Binary is twice encoded in Kinesis records, see workbench.model.records.is_twice_encoded.
with lines as (
    select
        *,
        file_index,
        dynamodb is not null and eventName is not null as is_raw,
        recordFormat is not null or (eventVersion is null and eventSourceARN is null
            and dynamodb.SequenceNumber is null and dynamodb.StreamViewType is null) as is_kinesis,
        dynamodb.ApproximateCreationDateTime * case dynamodb.ApproximateCreationDateTimePrecision
            when 'MICROSECOND' then 1
            when 'MILLISECOND' then 1000
            else case
                when abs(dynamodb.ApproximateCreationDateTime) < 1e11 then 1000000
                when abs(dynamodb.ApproximateCreationDateTime) < 1e14 then 1000
                else 1
            end
        end as micros
    from read_json(
        list_value :paths, format = :format, compression = :compression, ignore_errors = :ignore_errors,
        records = true, auto_detect = false, hive_partitioning = false, maximum_object_size = :longest,
        columns = {
            event_id: 'VARCHAR', event_name: 'VARCHAR', table_name: 'VARCHAR', ts: 'VARCHAR', keys: 'VARCHAR',
            new_image: 'VARCHAR', old_image: 'VARCHAR', size_bytes: 'BIGINT', by_ttl: 'BOOLEAN',
            eventID: 'VARCHAR', eventName: 'VARCHAR', tableName: 'VARCHAR', userIdentity: 'JSON',
            recordFormat: 'JSON', eventVersion: 'JSON', eventSourceARN: 'JSON',
            aws_region: 'JSON', account_id: 'JSON', awsRegion: 'JSON',
            dynamodb: 'STRUCT(ApproximateCreationDateTime DOUBLE, ApproximateCreationDateTimePrecision VARCHAR,
                              Keys JSON, NewImage JSON, OldImage JSON, SizeBytes BIGINT, SequenceNumber JSON,
                              StreamViewType VARCHAR)'}
    )
)

select
    case when is_raw then eventID else event_id end as event_id,
    case when is_raw then eventName else event_name end as event_name,
    case
        when is_raw then coalesce(nullif(tableName, ''), regexp_extract(eventSourceARN, ':table/([^/"]+)', 1))
        else table_name
    end as table_name,
    case when is_raw then case
        when micros between -62135596800000000 and 253402300799999999 then make_timestamp(round(micros)::bigint)
    end when regexp_full_match(ts, :time_pattern) then try_cast(ts as timestamp) end as ts,
    case when is_raw then dynamodb.Keys else keys end as keys,
    case when is_raw then dynamodb.NewImage else new_image end as new_image,
    case when is_raw then dynamodb.OldImage else old_image end as old_image,
    case when is_raw then dynamodb.SizeBytes else size_bytes end as size_bytes,
    case
        when is_raw then contains(userIdentity, '"Service"') and contains(userIdentity, '"dynamodb.amazonaws.com"')
        else by_ttl
    end as by_ttl,
    case
        when is_raw then coalesce(
            nullif(regexp_extract(awsRegion, '^"([A-Za-z0-9-]{1,64})"$', 1), ''),
            nullif(regexp_extract(eventSourceARN, '^"arn:[a-z-]*:dynamodb:([A-Za-z0-9-]*):[0-9]*:table/', 1), '')
        )
        else nullif(regexp_extract(aws_region, '^"([A-Za-z0-9-]{1,64})"$', 1), '')
    end as aws_region,
    case
        when is_raw
            then nullif(regexp_extract(eventSourceARN, '^"arn:[a-z-]*:dynamodb:[A-Za-z0-9-]*:([0-9]*):table/', 1), '')
        else nullif(regexp_extract(account_id, '^"([0-9]{1,20})"$', 1), '')
    end as account_id,
    is_raw and is_kinesis as twice,
    is_raw as certain,
    is_raw and coalesce(
        dynamodb.StreamViewType in ('NEW_IMAGE', 'NEW_AND_OLD_IMAGES'), recordFormat is not null
    ) as has_new_images,
    is_raw as is_json,
    (list_value :numbers)[file_index::bigint + 1] as object
from lines
