"""Large versions of what `make test` tries a little of: fuzzing, kills, hostile files, many pictures, every size."""
