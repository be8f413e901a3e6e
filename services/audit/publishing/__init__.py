"""The log as strangers see it: cosigned, mirrored as files, served."""
