"""Audit logs of three clouds: parse a record into an `Event`, fetch records, attribute changes to events."""
