"""Matching's pages: server-rendered, no script, phone-sized, English and Spanish."""
