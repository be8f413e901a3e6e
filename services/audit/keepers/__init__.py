"""The processes that hold a key and a memory and nothing else: signer and witness, and how they are asked."""
