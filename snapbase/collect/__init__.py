"""Reading the clouds: an engine, and one folder per cloud with one file per kind."""
