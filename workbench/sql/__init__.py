"""One question a `.sql` file, in Athena's dialect; `workbench.sql.templates` loads and fills them."""
