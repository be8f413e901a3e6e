"""The ER desk: pages for the people of an emergency room; server-rendered, live, English and Spanish."""
