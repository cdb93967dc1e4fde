-- The names and types of a key, of which {keys} is the canonical text: a JSON object.
regexp_replace({keys}, '":\{"([SNB])":"(?:[^"\\]|\\.)*"\}', '":"$1"')
