-- Reads the data files of a table's export to S3 for the embedded engine, in DuckDB's own dialect: one row a line.
-- Parameters: :paths; :first, the number of the first file; :event_id, :table and :time, the same in every row;
-- :names, how many attributes make the key, :pointers to them and {keys}, the text made of them;
-- :plain, which matches the value of a key attribute that is canonical as it stands.
-- Rows: items, and of an incremental export its changes, with their own time; keys are null where the line is neither.
with lines as (
    select
        coalesce(Item, NewImage) as new_image,
        json_extract(coalesce(Item, Keys), list_value :pointers) as parts,
        case
            when Item is not null then :time
            when try_cast(Metadata.WriteTimestampMicros.N as bigint) between -62135596800000000 and 253402300799999999
                and (NewImage is null or json_type(NewImage) = 'OBJECT') and len(json_keys(Keys)) = :names
                then make_timestamp(try_cast(Metadata.WriteTimestampMicros.N as bigint))
        end as ts,
        file_index
    from read_json(
        list_value :paths, format = 'newline_delimited', compression = 'gzip', ignore_errors = true,
        records = true, auto_detect = false, hive_partitioning = false, maximum_object_size = 4194304,
        columns = {
            Item: 'JSON', Keys: 'JSON', NewImage: 'JSON',
            Metadata: 'STRUCT(WriteTimestampMicros STRUCT(N VARCHAR))'}
    )
)

select
    :event_id as event_id,
    case when new_image is null then 'REMOVE' else 'INSERT' end as event_name,
    :table as table_name,
    ts,
    case when ts is not null then case
        when len(list_filter(parts, lambda part: not regexp_full_match(part, :plain))) = 0 then {keys}
        else canonical_keys({keys}, false)
    end end as keys,
    new_image,
    null as old_image,
    null as size_bytes,
    false as by_ttl,
    null as aws_region,
    null as account_id,
    :first + file_index as object
from lines
