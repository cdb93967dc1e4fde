"""One subject of the deployment a module; `pipeline` puts them together."""
