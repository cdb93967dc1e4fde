"""One question a `.sql` file, in Athena's dialect; `workbench.render` loads and fills them."""
