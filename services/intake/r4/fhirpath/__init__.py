"""The part of FHIRPath that R4's invariants are written in, compiled to Python closures over plain JSON."""
