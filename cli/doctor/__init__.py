"""What is wrong with a deployment, and what to do about it; `docs/operations.md` lists every finding."""
