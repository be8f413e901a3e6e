"""How people sign in: any OpenID provider says who they are, and this is what we ask it and what we believe of it.

`fetching` speaks with it, `provider` knows its addresses and keys, `tokens` judges what it signed, `claims` reads whom
that is to us, `party` carries a browser there and back, `bearer` reads the tokens of calls, `door` is the part of pages.
"""
