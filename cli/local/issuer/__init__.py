"""A small OpenID provider for one machine: development, the demo and tests, never production.

It asks nobody for a password: whoever reaches it is whom they say.  Everything else is as a provider's should be, so
that the services are tried against discovery, PKCE, rotating keys, the device flow and logout as they are in the world.
"""
